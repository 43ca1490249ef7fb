"""Raw orders of a file through the same signals, features and model as live ones; the database stays as it was.

They are written as a sale of their own in a transaction that is rolled back, under numbers below zero: no sequence
moves, and no other session ever sees them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models, transaction

from orders.customers import customer_key
from orders.models import ClaimAttempts, ClaimSignals, Drop, Order
from orders.risk import links, neighbours
from orders.risk.client import client_report
from orders.risk.features import Features, features_of, signed
from orders.risk.folding import plain
from orders.risk.keys import token_key
from orders.risk.request import LONGEST_VALUE, possible_wait, raw_signals
from orders.risk.signals import signals_of
from orders.states import Outcome, State

BATCH = 2000
OURS = -1  # the sale's number
TEXTS = ("email", "name", "line1", "line2", "city", "postcode", "country", "phone")


class BadRawOrder(ValueError):
    """The text says which value is not as it should be."""


@dataclass(frozen=True)
class RawOrder:
    """An order as the contract's file has it: a missing value is empty or None."""

    id: str
    at: datetime
    form: dict[str, str]
    raw: dict[str, Any]  # as read_signals has it
    card: str

    @classmethod
    def read(cls, sent: Any, *, before: datetime) -> "RawOrder":
        """Raises BadRawOrder. An order that does not say when it came, came with the one `before`."""
        if not isinstance(sent, dict):
            raise BadRawOrder("an order must be a JSON object")
        form = value_of(sent, "form", dict) or {}
        raw = raw_signals(
            ip=value_of(sent, "ip", str) or "",
            headers=headers_of(value_of(sent, "headers", list) or []),
            page_to_submit_ms=value_of(sent, "page_to_submit_ms", (int, float)),
            device=value_of(sent, "device", str) or "",
            client=client_report(value_of(sent, "client", dict)),
        ) | {"ticket_ms": possible_wait(value_of(sent, "ticket_ms", (int, float)))}
        return cls(
            id=value_of(sent, "id", str) or "",
            at=moment_of(value_of(sent, "at", str)) or before,
            form={name: clean(value_of(form, name, str) or "", name) for name in TEXTS},
            raw=raw,
            card=value_of(sent, "card", str) or "",
        )


def value_of(sent: dict[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = sent.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise BadRawOrder(f"{name} is of the wrong type")
    return plain(value, LONGEST_VALUE) if isinstance(value, str) else value


def headers_of(sent: list[Any]) -> list[list[str]]:
    if not all(isinstance(each, list) and len(each) == 2 and all(isinstance(x, str) for x in each) for each in sent):
        raise BadRawOrder("headers must be a list of [name, value]")
    return sent


def moment_of(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRawOrder("at is no timestamp") from error
    if moment.tzinfo is None:
        raise BadRawOrder("at has no time zone")
    if not MINYEAR < moment.year < MAXYEAR:  # there is a day before and after
        raise BadRawOrder("at is out of range")
    return moment.astimezone(UTC)


def clean(text: str, name: str) -> str:
    """As its column can hold it."""
    field = Order._meta.get_field(name)
    assert isinstance(field, models.Field)
    return text[: field.max_length]


class RollBack(Exception):
    """Ends the transaction of a replay."""


def replay(raws: Sequence[RawOrder]) -> Iterator[tuple[RawOrder, Features]]:
    """Each order with its features as known when the last one had come, as scoring anew by links leaves it.

    But claim_rank and header_share of a live order are those of the moment when it was scored: nothing learns from
    them here, see training.table.NOT_LEARNED.
    """
    if not raws:
        return iter(())
    found: dict[int, Features] = {}
    try:
        with transaction.atomic():
            orders = written(raws)
            kept = signed(orders)
            around = neighbours.find(kept.values(), drop_id=OURS, now=max(raw.at for raw in raws))
            found = features_of(orders, kept, around)
            raise RollBack
    except RollBack:
        pass
    return ((raw, found[number]) for number, raw in numbered(raws))


def numbered(raws: Sequence[RawOrder]) -> Iterable[tuple[int, RawOrder]]:
    """Below zero, and rising in the order of the file: ties in time are told apart by the number."""
    return enumerate(raws, start=-len(raws))


def written(raws: Sequence[RawOrder]) -> list[Order]:
    first, last = min(raw.at for raw in raws), max(raw.at for raw in raws)
    drop = Drop.objects.create(
        pk=OURS, name="replay", price=1, currency="usd", opens_at=first, closes_at=last + timedelta(days=1)
    )
    orders = [order_of(raw, number, drop) for number, raw in numbered(raws)]
    Order.objects.bulk_create(orders, batch_size=BATCH)
    signals = []
    for order, raw in zip(orders, raws, strict=True):
        kept = signals_of(order, raw.raw)
        kept.pk, kept.card_key = order.number, token_key("card", raw.card)
        signals.append(kept)
    ClaimSignals.objects.bulk_create(signals, batch_size=BATCH)
    links.regroup(ClaimSignals.objects.filter(drop_id=OURS))
    attempts = Counter((kept.ip_key, kept.at.replace(second=0, microsecond=0)) for kept in signals if kept.ip_key)
    ClaimAttempts.objects.bulk_create(
        [
            ClaimAttempts(pk=-number, ip_key=ip_key, minute=minute, count=count)
            for number, ((ip_key, minute), count) in enumerate(attempts.items(), start=1)
        ],
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    return orders


def order_of(raw: RawOrder, number: int, drop: Drop) -> Order:
    """Over already: so that a mailbox may come as often as the file has it."""
    email = raw.form["email"]
    return Order(
        number=number,
        drop=drop,
        pair_number=0,
        size=Decimal(9),
        state=State.COMPENSATED,
        outcome=Outcome.CANCELLED,
        created_at=raw.at,
        updated_at=raw.at,
        customer_key=clean(customer_key(email), "customer_key") if email else "",
        **raw.form,
    )
