"""Figures of several runs, and how they are shown."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Run = dict[str, float]


@dataclass
class Part:
    """What one part of the bench measured: each figure with all its runs."""

    name: str
    runs: list[Run] = field(default_factory=list)

    def figures(self) -> dict[str, dict[str, float]]:
        """min, median and max of each figure."""
        return {
            name: {"min": min(values), "median": statistics.median(values), "max": max(values)}
            for name in self.runs[0]
            if (values := [run[name] for run in self.runs])
        }

    def table(self) -> str:
        rows = [f"{self.name} ({len(self.runs)} runs)"]
        rows.append(f"  {'':44}{'min':>12}{'median':>12}{'max':>12}")
        for name, of in self.figures().items():
            rows.append(f"  {name:44}" + "".join(f"{of[which]:12.4g}" for which in ("min", "median", "max")))
        return "\n".join(rows)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def milliseconds(seconds: Iterable[float], prefix: str = "") -> Run:
    """p50, p95, p99 and the worst of a list of durations."""
    values = [1000 * each for each in seconds]
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {f"{prefix}{name} ms": percentile(values, share) for name, share in shares.items()} | {
        f"{prefix}max ms": max(values)
    }
