"""Does the sale look like what the model was learned from? Population stability index per feature.

PSI is the sum over a feature's bins of (here - there) * ln(here / there), with the shares of orders here and of rows
learned from. The usual reading: below 0.1 alike, from 0.25 on another population (Siddiqi, Credit Risk Scorecards,
2006). With few orders chance alone makes it large: of orders that come from the very same population it is on average
(bins - 1) / orders (Yurdakul, Statistical Properties of Population Stability Index, 2018); the verdict leaves that out.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orders.risk.features import Features
from orders.risk.model import TableModel

SHIFTING, SHIFTED = 0.1, 0.25
LEAST = 1e-4  # share that an empty bin counts as
HALF = 0.5  # an order: what an empty bin counts as here, and never as more than was to be expected
MOST_BINS = 10  # neighbouring bins are taken together until there are so few


@dataclass(frozen=True)
class Drift:
    """One feature: its PSI, what of it is expected by chance, and the shares in the same bins, of orders here and of
    rows learned from."""

    feature: str
    psi: float
    chance: float
    here: Sequence[float]
    there: Sequence[float]

    @property
    def verdict(self) -> str:
        if self.chance > SHIFTING:
            return "too few orders"
        moved = self.psi - self.chance
        return "shifted" if moved >= SHIFTED else "shifting" if moved >= SHIFTING else "alike"


def psi(here: Sequence[float], there: Sequence[float]) -> float:
    pairs = [(max(one, LEAST), max(other, LEAST)) for one, other in zip(here, there, strict=True)]
    return sum((one - other) * math.log(one / other) for one, other in pairs)


def drift_of(model: TableModel, seen: Iterable[Features]) -> list[Drift]:
    """Of every feature that the model knows, the most shifted first; empty without orders."""
    vectors = list(seen)
    if not vectors:
        return []
    drifts = []
    for name, term in model.terms.items():
        counts = Counter(term.bin(vector.get(name)) for vector in vectors)
        bounds = merged(term.shares)
        here = [sum(counts[n] for n in bins) / len(vectors) for bins in bounds]
        there = [sum(term.shares[n] for n in bins) for bins in bounds]
        chance = (sum(share > 0 for share in there) - 1) / len(vectors)
        filled = [max(one, min(HALF / len(vectors), other)) for one, other in zip(here, there, strict=True)]
        drifts.append(Drift(name, psi(filled, there), chance, here, there))
    return sorted(drifts, key=lambda drift: -drift.psi)


def merged(shares: Sequence[float]) -> list[range]:
    """The missing values by themselves, and the other bins in about equal parts of what was learned from."""
    parts, begin, total = [range(1)], 1, 0.0
    for n in range(1, len(shares)):
        total += shares[n]
        if total >= (1 - shares[0]) / MOST_BINS or n == len(shares) - 1:
            parts.append(range(begin, n + 1))
            begin, total = n + 1, 0.0
    return parts


def distribution(scores: Mapping[int, int], width: int = 10) -> list[int]:
    """Orders by score, in ten columns."""
    columns = [0] * (100 // width)
    for score, orders in scores.items():
        columns[score // width] += orders
    return columns
