"""Figures for Prometheus, read from the database when asked: there are several web processes, one truth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orders import clock
from orders.models import Callback, Order, Pair, Reconciliation, SweepBeat, WebhookEvent, WebhookRefusals, Work
from orders.payments.provider import REFUSAL_REASONS
from orders.states import Outcome, PairState, State, Step, Wait

Series = tuple[str, ...]  # one value for each label
UNDONE = (State.COMPENSATING, State.COMPENSATED)


def exposition() -> bytes:
    """Everything in Prometheus' text format. Raises django.db.Error while the database is away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Shop())
    return generate_latest(registry)


class Shop(Collector):
    def describe(self) -> Iterable[Metric]:
        return []  # registering must not read the database

    def collect(self) -> Iterator[Metric]:
        now = clock.now()
        yield gauge(
            "orders",
            "Orders by state, and by outcome where they were undone.",
            ["state", "outcome"],
            {(state, "") for state in State if state not in UNDONE} | {(s, o) for s in UNDONE for o in Outcome},
            dict(_count(Order.objects.values_list("state", "outcome"))),
        )
        yield gauge(
            "pairs",
            "Pairs by state.",
            ["state"],
            {(state,) for state in PairState},
            dict(_count(Pair.objects.values_list("state"))),
        )
        yield gauge(
            "callbacks_open",
            "Orders that wait for something outside.",
            ["kind"],
            {(kind,) for kind in Wait},
            dict(_count(Callback.objects.open().values_list("kind"))),
        )
        yield from work(now)
        yield gauge(
            "webhooks_received",
            "Provider events in the inbox, each counted once.",
            ["type"],
            set(),
            dict(_count(WebhookEvent.objects.values_list("type"))),
        )
        refused = CounterMetricFamily(
            "quantasneaks_webhooks_refused", "Deliveries that were not authentic.", labels=["reason"]
        )
        counts = dict(WebhookRefusals.objects.values_list("reason", "count"))
        for reason in REFUSAL_REASONS:
            refused.add_metric([reason], counts.get(reason, 0))
        yield refused
        last = Reconciliation.objects.first()
        if last:
            differs = GaugeMetricFamily("quantasneaks_ledger_differences", "Found by the last daily reconciliation.")
            differs.add_metric([], len(last.differences))
            yield differs
        beat = SweepBeat.objects.first()
        if beat:
            age = GaugeMetricFamily("quantasneaks_sweep_age_seconds", "Since the sweep last ran.")
            age.add_metric([], max(0.0, (now - beat.at).total_seconds()))
            yield age


def work(now: datetime) -> Iterator[Metric]:
    """What is due, late, parked or on its way to another try, by step."""
    steps: set[Series] = {(step,) for step in Step}
    rows = list(Work.objects.by_step(now))
    for name, text, values in (
        ("due", "Work that a worker may take up now.", {row["step"]: row["due"] for row in rows}),
        ("parked", "Work given up until staff retry it.", {row["step"]: row["parked"] for row in rows}),
        ("retrying", "Work that failed and will be tried again.", {row["step"]: row["retrying"] for row in rows}),
        (
            "oldest_due_seconds",
            "How long the oldest due work has waited.",
            {row["step"]: (now - row["oldest"]).total_seconds() for row in rows if row["oldest"]},
        ),
    ):
        yield gauge(f"work_{name}", text, ["step"], steps, {(step,): value for step, value in values.items()})


def gauge(
    name: str, text: str, labels: Sequence[str], known: set[Series], values: Mapping[Series, float]
) -> GaugeMetricFamily:
    """A family in which every known series is there, also at zero: an alarm on a missing series never fires."""
    family = GaugeMetricFamily(f"quantasneaks_{name}", text, labels=labels)
    for series in sorted(known | values.keys()):
        family.add_metric(series, values.get(series, 0))
    return family


def _count(rows: Any) -> Iterator[tuple[Series, int]]:
    return ((tuple(row[:-1]), row[-1]) for row in rows.order_by().annotate(n=Count("pk")))
