"""The timeline of an order's page: what happened, what happens now, what is ahead."""

from dataclasses import dataclass
from datetime import datetime

from orders.models import Order
from orders.states import Outcome, State
from orders.storefront.status import Sight

ENDED = {
    Outcome.PAYMENT_TIMEOUT: "Time to pay ran out",
    Outcome.APPROVAL_TIMEOUT: "Time to decide ran out",
    Outcome.REJECTED: "Not accepted",
    Outcome.PAYMENT_FAILED: "Payment failed",
    Outcome.CANCELLED: "Cancelled",
    Outcome.ERROR: "Ended by a fault of ours",
    Outcome.NOT_DRAWN: "Not drawn",
}


@dataclass(frozen=True)
class Moment:
    """One point of the timeline. `mark`: done, now, ahead or ended."""

    mark: str
    title: str
    at: datetime | None = None
    until: datetime | None = None
    text: str = ""


PATH = (  # the state, its title once reached, its title and text while the order is in it
    (State.PROCESSING, "Placed", "Being checked", "A moment's work for us; you need do nothing."),
    (State.AWAITING_PAYMENT, "Checked", "Waiting for your payment", "Your card is authorised now and charged later."),
    (State.AWAITING_APPROVAL, "Card authorised", "In review by a person", "Nothing is charged before they say yes."),
    (State.APPROVED, "Approved", "Getting your parcel ready", "Your card is charged now."),
    (State.SHIPPED, "Shipped", "", ""),
)


def timeline(sight: Sight) -> list[Moment]:
    """An order that ended shows how, and where the money is, instead of what would have been ahead."""
    order = sight.order
    reached = first_times(order)
    moments = []
    for state, done, now, text in PATH:
        if state in reached:
            parcel = order.shipment.route if state == State.SHIPPED else ""
            moments.append(Moment("done", done, at=reached[state], text=parcel))
            if state == sight.state and now:
                moments.append(Moment("now", now, until=sight.deadline, text=text))
        elif not order.outcome:
            moments.append(Moment("ahead", done))
    return moments + how_it_ended(sight, reached) if order.outcome else moments


def how_it_ended(sight: Sight, reached: dict[State, datetime]) -> list[Moment]:
    ended = Moment("ended", ENDED[Outcome(sight.order.outcome)], at=reached.get(State.COMPENSATING))
    if sight.final:
        return [ended, Moment("done", "All settled", at=reached.get(State.COMPENSATED), text=sight.money)]
    return [ended, Moment("now", "Being settled", text=sight.money)]


def first_times(order: Order) -> dict[State, datetime]:
    """When each state was entered, by the journal."""
    times: dict[State, datetime] = {}
    for state, at in order.events.values_list("state", "at"):
        times.setdefault(State(state), at)
    return times
