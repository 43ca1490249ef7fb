"""A labelled table, whatever its columns are called."""

import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orders.risk.features import Features

Numbers = NDArray[np.float64]

# When people come is assumed, so the rank of a claim would teach the assumption. A live order's share of headers is
# that of the sale so far, which a finished sale does not show any more.
NOT_LEARNED = {"claim_rank", "header_share"}


class BadTable(ValueError):
    """The text says what is wrong, for whoever made the table."""


@dataclass(frozen=True)
class Table:
    """Rows in the order of their time; a missing cell is NaN. `groups` names an attack or a kind of customer, and
    `weights` says how much each row counts in learning."""

    names: list[str]
    values: Numbers
    labels: NDArray[np.int64]
    groups: list[str] = field(default_factory=list)
    weights: Numbers | None = None

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Table":
        groups = list(np.array(self.groups)[chosen]) if self.groups else []
        weights = None if self.weights is None else self.weights[chosen]
        return Table(self.names, self.values[chosen], self.labels[chosen], groups, weights)

    def mixed_with(self, other: "Table") -> "Table":
        """The rows of both, each table's spread over the whole time, so that every part by time has both."""
        names = sorted({*self.names, *other.names})
        time = np.concatenate([np.arange(len(each.labels)) / len(each.labels) for each in (self, other)])
        both = Table(
            names,
            np.vstack([self.columns(names), other.columns(names)]),
            np.concatenate([self.labels, other.labels]),
            self.groups + other.groups,
            np.concatenate([self.weighed(), other.weighed()]),
        )
        order = np.argsort(time, kind="stable")
        return both.rows(order)

    def weighed(self) -> Numbers:
        return np.ones(len(self.labels)) if self.weights is None else self.weights

    def columns(self, names: list[str]) -> Numbers:
        """These columns, missing throughout where there is none."""
        missing = np.full(len(self.labels), math.nan)
        return np.column_stack([self.values[:, self.names.index(n)] if n in self.names else missing for n in names])

    def split(self, share: float) -> tuple["Table", "Table"]:
        """The earlier part, and the last `share` of it by time."""
        at = int(len(self.labels) * (1 - share))
        return self.rows(slice(0, at)), self.rows(slice(at, None))

    @property
    def digest(self) -> str:
        """SHA-256 of all that is learned from."""
        return hashlib.sha256(self.values.tobytes() + self.labels.tobytes()).hexdigest()


def columns_of(vectors: Sequence[Features]) -> tuple[list[str], Numbers]:
    """The features that are learned from, and their values with a row for each vector."""
    seen = {name for features in vectors for name, value in features.items() if value is not None}
    names = sorted(seen - NOT_LEARNED)
    rows = [[math.nan if (value := features.get(name)) is None else value for name in names] for features in vectors]
    return names, np.array(rows)


def read_table(file: Path, *, label: str, time: str | None) -> Table:
    """Raises BadTable. Every column beside the label and the time must be numeric; an empty cell is a missing value."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{file} cannot be read: {error}") from error
    if label == time:
        raise BadTable(f"{label!r} cannot be both the label and the time")
    for column in (label, *([time] if time else [])):
        if column not in header:
            raise BadTable(f"{file} has no column {column!r}; it has {', '.join(header) or 'none'}")
    if len(set(header)) < len(header):
        raise BadTable(f"{file} has two columns of one name")
    if any(len(row) != len(header) for row in rows):
        raise BadTable(f"{file}: a row has more or fewer cells than the header")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(header)}
    marks = columns.pop(label)
    if not set(marks) <= {"0", "1", "0.0", "1.0"}:
        raise BadTable(f"the label {label!r} must be 0 or 1 in every row")
    if len({float(mark) for mark in marks}) < 2:
        raise BadTable(f"the label {label!r} must have both 0 and 1; {len(rows)} rows have one of them only")
    order = np.array(sorted(range(len(rows)), key=moments(time, columns.pop(time)).__getitem__ if time else None))
    if not columns:
        raise BadTable(f"{file} has no column to learn from")
    values = np.column_stack([numbers(name, cells) for name, cells in columns.items()])
    return Table(list(columns), values[order], np.array([int(float(mark)) for mark in marks])[order])


def moments(name: str, cells: list[str]) -> list[float] | list[str]:
    """What to sort by: numbers, or texts where none is a number, such as ISO timestamps. Raises BadTable."""
    if any(cell.strip().lower() in ("", "nan") for cell in cells):
        raise BadTable(f"the time {name!r} is missing in a row")
    if not any(is_number(cell) for cell in cells):
        return cells
    if not all(is_number(cell) for cell in cells):
        raise BadTable(f"the time {name!r} is a number in some rows and a text in others")
    return [float(cell) for cell in cells]


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def numbers(name: str, cells: list[str]) -> Numbers:
    try:
        column = np.array([float(cell) if cell.strip() else math.nan for cell in cells])
    except ValueError as error:
        raise BadTable(f"the column {name!r} is not numeric: {error}") from error
    column[np.isinf(column)] = math.nan
    return column
