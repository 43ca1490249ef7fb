"""Charts as SVG that the server draws, each with its numbers as a table.

Everything is placed in percent of the drawing: a chart is as wide as its room, and its letters keep their size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEFT, RIGHT, TOP, BOTTOM = 9.0, 99.0, 8.0, 84.0  # of the plot; its scales are written around it
GAP = 0.2  # of a column's room
BAR = 28  # px
FAINTEST = 0.15  # shade of a single order
MOST_LABELS = 4  # below an axis


@dataclass(frozen=True)
class Box:
    """`kind` is its class in dashboard.css; `text` is shown to who points at it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    text: str = ""
    shade: float = 1


@dataclass(frozen=True)
class Word:
    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class Line:
    """Across the plot."""

    y: float
    kind: str


@dataclass(frozen=True)
class Chart:
    """`says` is what one sees, for who does not; `name` is its id in the page."""

    name: str
    title: str
    says: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    boxes: Sequence[Box]
    words: Sequence[Word] = ()
    lines: Sequence[Line] = ()
    legend: Mapping[str, str] | None = None  # kind: word
    height: int = 200  # px


def bars(name: str, title: str, says: str, *, head: tuple[str, str], values: Mapping[str, tuple[int, str]]) -> Chart:
    """One bar below the other: label: (value, kind)."""
    most = max([1, *(value for value, _ in values.values())])
    boxes, words = [], []
    for row, (label, (value, kind)) in enumerate(values.items()):
        y, step = 100 * row / len(values), 100 / len(values)
        width = 50 * value / most
        boxes.append(box(40, y + step * GAP / 2, width, step * (1 - GAP), kind, f"{label}: {value}"))
        words += [word(0, y + step * 0.65, label), word(41 + width, y + step * 0.65, str(value))]
    rows = [(label, value) for label, (value, _) in values.items()]
    return Chart(name, title, says, head, rows, boxes, words, height=BAR * len(values))


def columns(
    name: str,
    title: str,
    says: str,
    *,
    head: Sequence[str],
    stacks: Sequence[tuple[str, Mapping[str, int]]],
    legend: Mapping[str, str],
    needed: float = 0,
) -> Chart:
    """Columns beside each other, each a label and its parts by kind; a line at what is `needed`.

    The line is at the top where it lies beyond twice the highest column: its scale would leave of them nothing to see.
    """
    highest = max([1, *(sum(parts.values()) for _, parts in stacks)])
    most = max(highest, min(needed, 2 * highest))
    boxes = []
    step = (RIGHT - LEFT) / len(stacks)
    for place, (label, parts) in enumerate(stacks):
        y = BOTTOM
        for kind, value in parts.items():
            height = (BOTTOM - TOP) * value / most
            y -= height
            text = f"{label}: {value} {legend[kind]}"
            boxes.append(box(LEFT + step * (place + GAP / 2), y, step * (1 - GAP), height, kind, text))
    words = [word(LEFT - 1, TOP + 3, f"{most:.0f}", "end"), word(LEFT - 1, BOTTOM, "0", "end")]
    words += below([label for label, _ in stacks])
    lines = [Line(BOTTOM, "axis")]
    if needed:
        level = round(BOTTOM - (BOTTOM - TOP) * min(1, needed / most), 2)
        lines.append(Line(level, "needed"))
        legend = {**legend, "needed": f"{needed:.1f} needed"}
    rows = [(label, *parts.values()) for label, parts in stacks]
    return Chart(name, title, says, head, rows, boxes, words, lines, legend)


def heat(
    name: str, title: str, says: str, *, corner: str, bands: Sequence[str], stripes: Mapping[str, Sequence[int]]
) -> Chart:
    """A stripe for each label, one field for each band, the lowest at the bottom; the darker, the more, beside the
    stripe's darkest."""
    step, rise = (RIGHT - LEFT) / max(1, len(stripes)), (BOTTOM - TOP) / len(bands)
    boxes = [
        box(
            LEFT + step * place,
            BOTTOM - rise * (n + 1),
            step,
            rise,
            "heat",
            f"{label}, {bands[n]}: {value}",
            shade=round(FAINTEST + (1 - FAINTEST) * value / max(values), 2),
        )
        for place, (label, values) in enumerate(stripes.items())
        for n, value in enumerate(values)
        if value
    ]
    words = [word(LEFT - 1, BOTTOM - rise * (n + 0.3), bands[n], "end") for n in range(0, len(bands), 3)]
    words += below([*stripes])
    rows = [(label, *values) for label, values in stripes.items()]
    return Chart(name, title, says, (corner, *bands), rows, boxes, words, [Line(BOTTOM, "axis")], height=240)


def pairs(name: str, title: str, says: str, *, here: Sequence[float], there: Sequence[float]) -> Chart:
    """Shares of the same bins in two places: a wide pale column behind a narrow one."""
    most = max([*here, *there])
    boxes = []
    step = 100 / len(here)
    for place, (one, other) in enumerate(zip(here, there, strict=True)):
        x = step * place
        boxes.append(box(x + step * 0.05, 100 - 100 * other / most, step * 0.9, 100 * other / most, "there"))
        boxes.append(box(x + step * 0.3, 100 - 100 * one / most, step * 0.4, 100 * one / most, "here"))
    return Chart(name, title, says, (), (), boxes, height=36)


def below(labels: Sequence[str]) -> list[Word]:
    """Under their columns, as many of them as there is room for."""
    step = (RIGHT - LEFT) / max(1, len(labels))
    every = -(-len(labels) // MOST_LABELS) or 1
    return [word(LEFT + step * (n + 0.5), 97, labels[n], "middle") for n in range(0, len(labels), every)]


def box(x: float, y: float, width: float, height: float, kind: str, text: str = "", shade: float = 1) -> Box:
    return Box(round(x, 2), round(y, 2), round(width, 2), round(height, 2), kind, text, shade)


def word(x: float, y: float, text: str, anchor: str = "start") -> Word:
    return Word(round(x, 2), round(y, 2), text, anchor)
