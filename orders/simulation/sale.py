"""What the simulated people know together: whose orders there are, and how far they have come."""

from collections import Counter
from typing import Any

from orders.simulation.people import Person, Plan
from orders.simulation.progress import Progress
from orders.states import FINAL


class Sale:
    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress
        self.customers: dict[str, Person] = {}  # by order id, as the two below
        self.orders: dict[str, dict[str, Any]] = {}  # the status as last seen
        self.open: set[str] = set()
        self.taken: set[str] = set()  # by a reviewer: being decided, or decided
        self.refused: Counter[str] = Counter()

    def place(self, person: Person, status: dict[str, Any]) -> None:
        self.customers[status["orderId"]] = person
        self.see(status)

    def see(self, status: dict[str, Any]) -> None:
        self.orders[status["orderId"]] = status
        if status["status"] in FINAL:
            self.open.discard(status["orderId"])
        else:
            self.open.add(status["orderId"])
