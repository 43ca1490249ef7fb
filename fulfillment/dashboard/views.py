"""The dashboard's pages: each asks, draws and shows; what the numbers mean is told where they are made."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from fulfillment.dashboard import charts
from fulfillment.dashboard.alarms import Alarm, alarms
from fulfillment.dashboard.charts import Chart
from fulfillment.dashboard.drift import MOST_ORDERS, Scored, scored
from fulfillment.dashboard.figures import Backlog, Money, Orders, Reviewer, Stock, money, orders, reviewers, stock, work
from fulfillment.dashboard.insiders import GROUP, LARGE, LEAST, UNLIKELY, Watch, watch, watch_of_the_minute
from fulfillment.dashboard.pace import HOURS, Pace, pace
from fulfillment.reasons import Verdict
from fulfillment.views import asks_json, staff_with
from orders.models import Drop, SweepBeat
from orders.risk import registry
from orders.risk.drift import SHIFTED, SHIFTING, Drift
from orders.states import State
from orders.storefront.status import iso
from orders.wording import money as in_words

SALE, MONEY, WATCH, DECISIONS, DRIFT, WORK = (
    "orders.view_order",
    "orders.view_payment",
    "orders.view_claimsignals",  # what links orders; not the reviewers', so that nobody watches themselves
    "fulfillment.view_decision",
    "orders.view_evidence",
    "orders.view_work",
)
SHOWN = 5  # flags on the dashboard itself


# --- the sale ---------------------------------------------------------------------------------------------------------


@require_safe
@staff_with(SALE)
def sale(request: HttpRequest) -> HttpResponse:
    """How the sale goes, in numbers and alarms; as JSON for programs (docs/dashboard.md)."""
    drop = Drop.objects.at_hand()
    if drop is None:
        if asks_json(request):
            return JsonResponse({"drop": None})
        return render(request, "fulfillment/dashboard/sale.html", {})
    may = request.user.has_perm
    beat = SweepBeat.objects.first()
    found: dict[str, Any] = {
        "drop": drop,
        "now": drop.now,
        "stock": stock(drop),
        "orders": orders(drop),
        "pace": pace(drop.now),
        "work": work(drop.now),
        "sweep_age": drop.now - beat.at if beat else None,
        "money": money(drop) if may(MONEY) else None,
        "reviewers": reviewers(drop) if may(DECISIONS) else None,
        "watch": watch_of_the_minute(drop) if may(WATCH) and may(DECISIONS) else None,
    }
    found["alarms"] = list(alarms(found["pace"], found["stock"], found["work"], found["sweep_age"]))
    if asks_json(request):
        return JsonResponse(as_json(**found))
    shown = found | {
        "state_chart": state_chart(found["orders"]),
        "outcome_chart": outcome_chart(found["orders"]),
        "pace_chart": pace_chart(found["pace"]),
        "left_chart": left_chart(found["pace"]),
        "flags": found["watch"].grave[:SHOWN] if found["watch"] else [],
        "may_see_work": may(WORK),
    }
    if found["money"]:
        shown["sums"] = sums(found["money"], drop.currency)
    return render(request, "fulfillment/dashboard/sale.html", shown)


def sums(found: Money, currency: str) -> list[tuple[str, str]]:
    return [
        (name, in_words(amount, currency))
        for name, amount in (
            ("held on cards", found.held),
            ("charged", found.captured),
            ("refunded", found.refunded),
            ("kept", found.kept),
        )
    ]


def state_chart(found: Orders) -> Chart:
    return charts.bars(
        "states",
        "Orders by state",
        f"{found.by_state[State.AWAITING_APPROVAL]} of {sum(found.by_state.values())} orders are in review.",
        head=("State", "Orders"),
        values={state.label: (count, "plain") for state, count in found.by_state.items()},
    )


def outcome_chart(found: Orders) -> Chart:
    return charts.bars(
        "outcomes",
        "Why orders were undone",
        f"{sum(found.by_outcome.values())} orders were undone, or are about to be.",
        head=("Outcome", "Orders"),
        values={outcome.label: (count, "plain") for outcome, count in found.by_outcome.items()},
    )


def pace_chart(found: Pace) -> Chart:
    hours = [f"{HOURS - 1 - n} h ago" if n < HOURS - 1 else "now" for n in range(HOURS)]
    return charts.columns(
        "decisions",
        "Decisions in each of the last 24 hours",
        f"{found.made:.1f} an hour are made, {found.needed:.1f} are needed.",
        head=("Hour", "Approved", "Rejected"),
        stacks=list(zip(hours, found.by_hour(), strict=True)),
        legend={Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"},
        needed=found.needed,
    )


def left_chart(found: Pace) -> Chart:
    words = {"urgent": "under a fifth", "soon": "under half", "calm": "over half"}
    return charts.bars(
        "left",
        "Open reviews by their time left",
        f"{len(found.open)} reviews are open, {found.urgency['urgent']} of them urgent.",
        head=("Of the time to decide", "Reviews"),
        values={words[name]: (count, name) for name, count in found.urgency.items()},
    )


def as_json(
    *,
    drop: Drop,
    now: datetime,
    stock: Stock,
    orders: Orders,
    pace: Pace,
    work: list[Backlog],
    sweep_age: timedelta | None,
    money: Money | None,
    reviewers: list[Reviewer] | None,
    watch: Watch | None,
    alarms: list[Alarm],
) -> dict[str, Any]:
    return {
        "drop": {"id": drop.pk, "name": drop.name},
        "now": iso(now),
        "alarms": [{"code": alarm.code, "text": alarm.text} for alarm in alarms],
        "stock": {
            "onSale": stock.on_sale,
            "held": stock.held,
            "sold": stock.sold,
            "total": stock.total,
            "stray": stock.stray,
        },
        "orders": orders.by_state,
        "outcomes": orders.by_outcome,
        "reviews": {
            "open": len(pace.open),
            "byUrgency": pace.urgency,
            "oldestSeconds": seconds(pace.oldest),
            "nextDeadline": iso(pace.open[0].deadline_at) if pace.open else None,
            "neededPerHour": round(pace.needed, 2),
            "madePerHour": round(pace.made, 2),
            "decidedLastHour": pace.since(timedelta(hours=1)),
        },
        "work": {
            one.step: {
                "due": one.due,
                "oldestSeconds": seconds(one.waited),
                "retrying": one.retrying,
                "parked": one.parked,
            }
            for one in work
        },
        "sweepAgeSeconds": seconds(sweep_age),
        "money": money
        and {
            "currency": drop.currency,
            "held": money.held,
            "captured": money.captured,
            "refunded": money.refunded,
        },
        "reviewers": None
        if reviewers is None
        else [
            {"name": one.name, "approved": one.approved, "rejected": one.rejected, "agreement": one.agreement}
            for one in reviewers
        ],
        "insiders": watch
        and {
            "standingOut": watch.standing_out,
            "flagged": [
                {
                    "number": flag.word.order,
                    "reviewer": flag.word.reviewer,
                    "group": flag.word.group,
                    "customers": flag.customers,
                    "grave": flag.grave,
                    "why": flag.why,
                }
                for flag in watch.flags
            ],
        },
    }


def seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


# --- who approves whom, and does the score still know its customers ---------------------------------------------------


@require_safe
@staff_with(WATCH, DECISIONS)
def insiders(request: HttpRequest) -> HttpResponse:
    drop = Drop.objects.at_hand()
    shown = {
        "drop": drop,
        "watch": watch(drop) if drop else None,
        "now": drop.now if drop else None,
        "group": GROUP,
        "large": LARGE,
        "least": LEAST,
        "unlikely": UNLIKELY,
    }
    return render(request, "fulfillment/dashboard/insiders.html", shown)


@require_safe
@staff_with(DRIFT)
def drift(request: HttpRequest) -> HttpResponse:
    """The drop's orders beside those that the model was learned from."""
    drop = Drop.objects.at_hand()
    reference = registry.reference()
    found = scored(drop, reference) if drop else None
    champion = registry.scorers().champion
    shown: Mapping[str, Any] = {
        "drop": drop,
        "now": drop.now if drop else None,
        "found": found,
        "most": MOST_ORDERS,
        "champion": champion,
        "reference": reference,
        "own": reference is champion.model,
        "challenger": registry.scorers().challenger,
        "score_chart": score_chart(found) if found else None,
        "rows": [(one, share_chart(n, one)) for n, one in enumerate(found.drifts)] if found else [],
        "shifting": SHIFTING,
        "shifted": SHIFTED,
    }
    return render(request, "fulfillment/dashboard/drift.html", shown)


def score_chart(found: Scored) -> Chart:
    bands = [f"{low}-{low + 9}" for low in range(0, 100, 10)]
    return charts.heat(
        "scores",
        "Scores by hour of the sale",
        "The darker a field, the more of the orders of that hour have such a score.",
        corner="Hour of the sale",
        bands=bands,
        stripes={str(hour + 1): counts for hour, counts in found.by_hour.items()},
    )


def share_chart(place: int, one: Drift) -> Chart:
    says = f"Shares of the orders of this drop in {len(one.here)} bins of {one.feature}, beside those learned from."
    return charts.pairs(f"shares-{place}", one.feature, says, here=one.here, there=one.there)
