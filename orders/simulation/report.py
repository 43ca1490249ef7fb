"""What came of a simulated sale, as its customers saw it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from orders.simulation.sale import Sale
from orders.states import State


@dataclass(frozen=True)
class Report:
    """Counts of orders, of this run only."""

    customers: int
    seed: int
    accepted: int
    refused: dict[str, int]  # customers, by the shop's code
    by_status: dict[str, int]
    by_outcome: dict[str, int]
    pairs_sold: int
    released_pairs_taken: int  # pairs that came back and found another customer
    seconds: float
    orders_per_second: float

    def lines(self) -> Iterator[str]:
        """A table for people."""
        yield f"{self.customers} customers, seed {self.seed}"
        yield f"  {'accepted':<24}{self.accepted:>8}"
        for title, counts in (("refused", self.refused), ("status", self.by_status), ("outcome", self.by_outcome)):
            for name, count in sorted(counts.items()):
                yield f"  {f'{title} {name}':<24}{count:>8}"
        yield f"  {'pairs sold':<24}{self.pairs_sold:>8}"
        yield f"  {'released pairs taken':<24}{self.released_pairs_taken:>8}"
        yield f"  {'seconds':<24}{self.seconds:>8.1f}"
        yield f"  {'orders a second':<24}{self.orders_per_second:>8.1f}"


def report_on(sale: Sale, *, seconds: float) -> Report:
    orders = list(sale.orders.values())
    by_status = Counter(order["status"] for order in orders)
    return Report(
        customers=sale.plan.customers,
        seed=sale.plan.seed,
        accepted=len(orders),
        refused=dict(sale.refused),
        by_status=dict(by_status),
        by_outcome=dict(Counter(order["outcome"] for order in orders if order["outcome"])),
        pairs_sold=by_status[State.SHIPPED],
        released_pairs_taken=len(orders) - len({order["pairNumber"] for order in orders}),
        seconds=round(seconds, 1),
        orders_per_second=round(len(orders) / seconds, 1),
    )
