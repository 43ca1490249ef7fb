"""A labelled table, whatever its columns are called."""

import csv
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


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


def read_table(file: Path, *, label: str, time: str | None) -> Table:
    """Raises BadTable. Every column beside the label and the time must be numeric; an empty cell is a missing value."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{file} cannot be read: {error}") from error
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
    order = np.array(sorted(range(len(rows)), key=sort_key(columns.pop(time)) if time else None))
    if not columns:
        raise BadTable(f"{file} has no column to learn from")
    values = np.column_stack([numbers(name, cells) for name, cells in columns.items()])
    return Table(list(columns), values[order], np.array([int(float(mark)) for mark in marks])[order])


def sort_key(times: list[str]) -> Callable[[int], float | str]:
    """By number where all are numbers, else as text, which sorts ISO timestamps; rows of one time stay in order."""
    try:
        as_numbers = [float(time) for time in times]
    except ValueError:
        return times.__getitem__
    return as_numbers.__getitem__


def numbers(name: str, cells: list[str]) -> Numbers:
    try:
        column = np.array([float(cell) if cell.strip() else math.nan for cell in cells])
    except ValueError as error:
        raise BadTable(f"the column {name!r} is not numeric: {error}") from error
    column[np.isinf(column)] = math.nan
    return column
