"""Models out of hand-written SQL: Django builds a statement anew each time that it sends one, and for what each step of
each order asks, building took longer than asking.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


@cache
def columns_of(*kinds: type[models.Model]) -> str:
    """All columns of these models, for a SELECT."""
    return ", ".join(f"{kind._meta.db_table}.{field.column}" for kind in kinds for field in kind._meta.concrete_fields)


@cache
def reader_of(kind: type[M]) -> Callable[[Sequence[Any]], M]:
    """What makes a model of its part of such a row."""
    fields = kind._meta.concrete_fields
    names = [field.attname for field in fields]
    convert = [
        (index, field.cached_col, converter)
        for index, field in enumerate(fields)
        for converter in field.get_db_converters(connection)
    ]

    def read(row: Sequence[Any]) -> M:
        values = list(row)
        for index, column, converter in convert:
            values[index] = converter(values[index], column, connection)
        return kind.from_db(connection.alias, names, values)

    return read


def read(sql: str, words: Mapping[str, Any], *kinds: type[models.Model]) -> list[Any] | None:
    """The first row of a SELECT of {columns} and maybe more: a model of each kind, None for one that an outer join did
    not find, and the rest as it is. None without a row.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.format(columns=columns_of(*kinds)), dict(words))
        row = cursor.fetchone()
    if row is None:
        return None
    found, at = [], 0
    for kind in kinds:
        part = row[at : at + len(kind._meta.concrete_fields)]
        found.append(None if part[0] is None else reader_of(kind)(part))
        at += len(part)
    return [*found, *row[at:]]
