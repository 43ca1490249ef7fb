"""Models out of and into SQL that is written once: Django builds a statement anew each time that it sends one, and for
what each step of each order asks and says, building took longer than asking.
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


@cache
def insert_of(kind: type[models.Model], otherwise: str) -> tuple[str, list[Any]]:
    """The statement that adds such a row, and the fields that it binds: all but a number that the database gives."""
    options: Any = kind._meta
    fields = [field for field in options.concrete_fields if field is not options.auto_field]
    columns, values = ", ".join(field.column for field in fields), ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {options.db_table} ({columns}) VALUES ({values}) {otherwise} RETURNING {options.pk.column}"  # noqa: S608
    return sql, fields


@cache
def update_of(kind: type[models.Model], *names: str) -> tuple[str, list[Any]]:
    """The statement that changes these fields of such a row, and the fields that it binds: the key is the last."""
    options: Any = kind._meta
    fields = [options.get_field(name) for name in names]
    changes = ", ".join(f"{field.column} = %s" for field in fields)
    sql = f"UPDATE {options.db_table} SET {changes} WHERE {options.pk.column} = %s"  # noqa: S608  # ours throughout
    return sql, [*fields, options.pk]


def insert(row: models.Model, otherwise: str = "") -> bool:
    """Add a row; `otherwise` says what to do where it is there (ON CONFLICT ...). Returns whether it was written."""
    sql, fields = insert_of(type(row), otherwise)
    with connection.cursor() as cursor:
        cursor.execute(sql, values_of(row, fields))
        found = cursor.fetchone()
    if found:
        row.pk, row._state.adding = found[0], False
    return found is not None


def update(row: models.Model, *names: str) -> None:
    """Write these fields of a row that is there."""
    sql, fields = update_of(type(row), *names)
    with connection.cursor() as cursor:
        cursor.execute(sql, values_of(row, fields))


def values_of(row: models.Model, fields: list[Any]) -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
