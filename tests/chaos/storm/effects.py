"""What people outside can see: every order once, every mail once, every parcel once. Nothing here asks the audit."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import psycopg

from orders.states import FINAL, Outcome, State
from tests.chaos.storm.people import Crowd, Habit
from tests.shop import Shop

LATE = {Outcome.PAYMENT_TIMEOUT.value, Outcome.APPROVAL_TIMEOUT.value}  # lawful where a fault took the customer's time
ENDS: dict[Habit, set[str]] = {
    Habit.BUYS: {""},
    Habit.FIRST_CARD_DECLINED: {""},
    Habit.NEVER_PAYS: set(),
    Habit.CANCELS: {Outcome.CANCELLED},
    Habit.LIVES_NOWHERE: {Outcome.ERROR},
    Habit.REJECTED: {Outcome.REJECTED},
    Habit.FORGOTTEN: set(),
}
LAST_MAIL = {State.SHIPPED: "send_confirmation", State.COMPENSATED: "send_apology"}


def differences(shop: Shop, crowd: Crowd) -> Iterator[str]:
    """Each a sentence; none where all is well."""
    yield from crowd.trouble
    with psycopg.connect(f"postgresql://postgres@/quantasneaks?host={shop.folder / 'run'}") as connection:
        rows = connection.execute("SELECT public_id::text, number, state, outcome FROM orders_order").fetchall()
        sent = connection.execute("SELECT reference FROM parcellab_parcel WHERE status = 'accepted'").fetchall()
    parcels = Counter(int(reference.rpartition("-")[2]) for (reference,) in sent)
    known = {public_id: (number, state, outcome) for public_id, number, state, outcome in rows}
    for order_id in crowd.orders.keys() - known.keys():
        yield f"lost: a customer was told of {order_id}, which does not exist"
    mails = kinds_of_mail(shop.folder / "mails")
    for order_id, (number, state, outcome) in known.items():
        if order_id not in crowd.orders:
            yield f"order {number} is nobody's: no customer was told of it"
        elif state not in FINAL:
            yield f"stranded: order {number} is {state}"
        elif outcome not in ENDS[crowd.habits[order_id]] | LATE:
            yield f"order {number}, whose customer {crowd.habits[order_id]}, ended as {outcome or state}"
        else:
            ends = mails[number] & set(LAST_MAIL.values())
            if ends != {LAST_MAIL[state]}:
                yield f"order {number} ({state} {outcome}) was told {sorted(ends)}"
        if parcels[number] != (state == State.SHIPPED):
            yield f"order {number} ({state}) has {parcels[number]} parcels"


def kinds_of_mail(folder: Path) -> dict[int, set[str]]:
    """What each order was told; a file is named by order and kind."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in folder.glob("*.eml"):
        match = re.fullmatch(r"(\d+)-([a-z_]+)(-\d+)?", path.stem)
        assert match, path.name
        found[int(match[1])].add(match[2])
    return found


class MailBox:
    """Notices a mail that is delivered over one that was there: the customer would see it twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[str, int] = {}
        self.twice: list[str] = []

    def look(self) -> None:
        for entry in os.scandir(self.folder):
            if entry.name.endswith(".eml") and self.seen.setdefault(entry.name, entry.inode()) != entry.inode():
                self.twice.append(f"mail {entry.name} was delivered twice")
                self.seen[entry.name] = entry.inode()
