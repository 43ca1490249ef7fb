"""Invented sales through the shop's own features, as a table."""

import numpy as np

from orders import clock
from orders.risk.features import Features
from orders.risk.replay import RawOrder, replay
from orders.risk.training.sales import sales
from orders.risk.training.table import Table, columns_of


def simulated(seeds: range) -> Table:
    """One sale after the other; needs the shop's database, which stays as it was."""
    found: list[Features] = []
    labels: list[int] = []
    groups: list[str] = []
    for orders in sales(seeds):
        raws = [RawOrder.read(order, before=clock.now()) for order in orders]
        found += [features for _, features in replay(raws)]
        labels += [order["label"] for order in orders]
        groups += [order["group"] for order in orders]
    names, values = columns_of(found)
    return Table(names, values, np.array(labels), groups)
