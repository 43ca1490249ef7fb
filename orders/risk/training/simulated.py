"""Invented sales through the shop's own features, as a table."""

import numpy as np

from orders import clock
from orders.risk.features import Features
from orders.risk.replay import RawOrder, replay
from orders.risk.training.ebm import missing_as_nan
from orders.risk.training.sales import sales
from orders.risk.training.table import Table

# When people come is assumed, so the rank of a claim would teach the assumption.
NOT_LEARNED = {"claim_rank"}


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
    seen = {name for features in found for name, value in features.items() if value is not None}
    names = sorted(seen - NOT_LEARNED)
    values = np.array([[missing_as_nan(features.get(name)) for name in names] for features in found])
    return Table(names, values, np.array(labels), groups)
