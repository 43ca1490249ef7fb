"""The orders that one is linked with: who, by what, what became of them, and the drawing of it."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import cos, pi, sin

from fulfillment.models import Decision
from orders.models import Order
from orders.risk.links import Edge, edges_of, members
from orders.states import Outcome, State

MOST_SHOWN = 30  # orders; the others are counted
APART = 104  # from one order to the next along the circle, in pixels: room for the longest word between two
SMALLEST = 96  # radius
EDGE = 36  # around the circle
LINE = 13  # of a label


@dataclass(frozen=True)
class Node:
    """An order of the group, where it is drawn, and what it shares with which other one."""

    order: Order
    own: bool
    ties: list[tuple[int, str]]
    decided_by: str
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """An edge as drawn: its words stand below each other in its middle."""

    x1: float
    y1: float
    x2: float
    y2: float
    words: list[tuple[float, str]]

    @property
    def x(self) -> float:
        return (self.x1 + self.x2) / 2


@dataclass(frozen=True)
class Linked:
    """A group of more than one order. `kinds` are the words by which the order itself is linked; `deciders` are those
    who decided several of it, and how many: a friend's orders may have one friend at the desk."""

    count: int
    paid: int
    rejected: int
    nodes: list[Node]
    lines: list[Line]
    kinds: list[str]
    deciders: list[tuple[str, int]]
    size: float  # of the square drawing

    @property
    def rest(self) -> int:
        return self.count - len(self.nodes)


def linked_with(order: Order) -> Linked | None:
    """None for an order by itself. Three queries, however large the group."""
    signals = getattr(order, "signals", None)
    if signals is None or not signals.link:
        return None
    rows = list(members(signals).defer("raw"))
    edges = edges_of(rows)
    orders = {
        found.number: found
        for found in Order.objects.filter(number__in=[row.order_id for row in rows])
        .select_related("drop")
        .only("number", "public_id", "state", "outcome", "created_at", "drop__name")
    }
    ties: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for edge in edges:
        ties[edge.first].append((edge.second, ", ".join(edge.why)))
        ties[edge.second].append((edge.first, ", ".join(edge.why)))
    near = {order.number} | {other for other, _ in ties[order.number]}
    shown = sorted(sorted(orders, key=lambda number: (number not in near, number))[:MOST_SHOWN])
    decided: dict[int, str] = dict(
        Decision.objects.filter(order__in=orders, withdrawn_at__isnull=True, needs_second=False)
        .order_by("id")
        .values_list("order", "reviewer__username")
    )
    radius = max(SMALLEST, APART * len(shown) / (2 * pi))
    places = {number: on_circle(index, len(shown), radius) for index, number in enumerate(shown)}
    return Linked(
        count=len(orders),
        paid=sum(found.state in (State.APPROVED, State.SHIPPED) for found in orders.values()),
        rejected=sum(found.outcome == Outcome.REJECTED for found in orders.values()),
        nodes=[
            Node(orders[number], number == order.number, ties[number], decided.get(number, ""), *places[number])
            for number in shown
        ],
        lines=[line(edge, places) for edge in edges if edge.first in places and edge.second in places],
        kinds=list(
            dict.fromkeys(word for edge in edges if order.number in (edge.first, edge.second) for word in edge.why)
        ),
        deciders=[(name, count) for name, count in Counter(decided.values()).items() if count > 1],
        size=round(2 * (radius + EDGE)),
    )


def on_circle(index: int, count: int, radius: float) -> tuple[float, float]:
    """From the left, clockwise. On a circle no line between two orders runs through a third."""
    angle = pi + 2 * pi * index / count
    middle = radius + EDGE
    return round(middle + radius * cos(angle), 1), round(middle + radius * sin(angle), 1)


def line(edge: Edge, places: dict[int, tuple[float, float]]) -> Line:
    (x1, y1), (x2, y2) = places[edge.first], places[edge.second]
    top = (y1 + y2) / 2 - LINE * (len(edge.why) - 1) / 2
    return Line(x1, y1, x2, y2, [(round(top + LINE * index, 1), word) for index, word in enumerate(edge.why)])
