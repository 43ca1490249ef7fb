"""The page's proof of work: what came with a claim, and what the score sees of it. Nothing of it stops a claim."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from altcha import Challenge, Payload, solve_challenge

from orders.claims import Claim
from orders.models import ClaimSignals, Drop
from orders.risk import signals, ticket
from orders.risk.features import Features
from orders.risk.score import assess
from orders.risk.ticket import Ticket
from orders.states import Level
from tests.life import SIGNALS, a_claim, features_now, open_drop, place

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket, "FEWEST", 3)
    monkeypatch.setattr(ticket, "MOST", 6)


def solved(challenge: str, **changes: Any) -> str:
    """What the storefront's script sends."""
    parsed = Challenge.from_dict(json.loads(challenge))
    solution = solve_challenge(parsed)
    assert solution
    solution.time = 400
    for name, value in changes.items():
        setattr(solution, name, value)
    return Payload(parsed, solution).to_base64()


def now() -> datetime:
    return datetime.now(UTC)


def test_a_solved_challenge_tells_how_long_it_took() -> None:
    begun = now()
    read = ticket.read(solved(ticket.issue(begun)), begun + 20 * SECOND)
    assert (read["ticket"], read["ticket_ms"]) == (Ticket.VALID, 400)
    assert read["ticket_id"]


@pytest.mark.parametrize(
    ("told", "kept"), [(10**9, 2000), (-1, None), (float("nan"), None), ("400", None), (None, None), (0, 0)]
)
def test_the_work_cannot_have_taken_longer_than_the_page_was_there(told: Any, kept: int | None) -> None:
    begun = now()
    read = ticket.read(solved(ticket.issue(begun), time=told), begun + 2 * SECOND)
    assert (read["ticket"], read["ticket_ms"]) == (Ticket.VALID, kept)


def test_a_page_that_was_open_for_hours_has_a_late_ticket() -> None:
    begun = now()
    sent = solved(ticket.issue(begun))
    assert ticket.read(sent, begun + ticket.LIFE - SECOND)["ticket"] == Ticket.VALID
    assert ticket.read(sent, begun + ticket.LIFE + SECOND) == {"ticket": Ticket.LATE}, "by the database's clock"


def altered(sent: str, **parameters: Any) -> str:
    """The same work for a challenge that says something else."""
    payload = json.loads(base64.b64decode(sent))
    payload["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(payload).encode()).decode()


def test_work_that_was_not_done_or_is_not_ours_is_invalid(settings: Any) -> None:
    challenge = ticket.issue(now())
    sent = solved(challenge)
    prefix = json.loads(challenge)["parameters"]["keyPrefix"]
    forged = [solved(challenge, derived_key=prefix.ljust(64, "0")), solved(challenge, derived_key=None)]
    forged += [altered(sent, cost=1), altered(sent, expiresAt=1), altered(sent, data={"issued": 0})]
    for text in [
        *forged,
        "x",
        "é",
        "[]",
        sent[:-9],
        sent + "A" * ticket.LONGEST,
        base64.b64encode(b"[" * 900).decode(),
    ]:
        assert ticket.read(text, now()) == {"ticket": Ticket.INVALID}, text
    settings.RISK_PEPPER = b"another shop's"
    assert ticket.read(sent, now()) == {"ticket": Ticket.INVALID}
    assert ticket.read("", now()) == {"ticket": Ticket.MISSING}


# --- what the score sees ----------------------------------------------------------------------------------------------


def seen(drop: Drop, claim: Claim | None = None, **raw: Any) -> Features:
    order = place(drop, claim, signals=SIGNALS | raw)
    return features_now([order])[order.number]


@pytest.mark.django_db
def test_a_ticket_sent_with_several_claims_is_seen_at_each_and_kept_as_a_key_only() -> None:
    drop = open_drop({"9": 9})
    one, other = (ticket.read(solved(ticket.issue(now())), now() + SECOND) for _ in range(2))
    # They share nothing else.
    reused = [seen(drop, a_claim(line1=f"{n} Road"), ip=f"198.51.{n}.1", **one)["ticket_sale"] for n in range(3)]
    assert reused == [1, 2, 3]
    features = seen(drop, **other)
    assert (features["ticket_sale"], features["ticket"]) == (1, 0.4)
    assert seen(open_drop(), **one)["ticket_sale"] == 1  # in another sale it counts anew
    assert one["ticket_id"] not in repr(ClaimSignals.objects.values_list())
    signals.purge(drop.closes_at + timedelta(days=31))
    assert set(ClaimSignals.objects.filter(drop=drop).values_list("ticket_key", flat=True)) == {""}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "missing", "invalid"),
    [
        ({"ticket": Ticket.MISSING, "client": {"touch": True}}, 1, None),
        ({"ticket": Ticket.MISSING, "client": None}, None, None),  # without a script, or through the API
        ({"ticket": Ticket.INVALID, "client": {"touch": True}}, 0, 1),
        ({"ticket": Ticket.INVALID, "client": None}, 0, 1),
        ({"ticket": Ticket.LATE, "client": {"touch": True}}, 0, 0),
        ({"ticket": Ticket.VALID, "client": {"touch": True}}, 0, 0),
        ({"client": {"touch": True}}, None, None),  # nobody looked for one
    ],
)
def test_a_script_that_reports_without_the_work_is_not_a_customer_without_a_script(
    raw: dict[str, Any], missing: float | None, invalid: float | None
) -> None:
    features = seen(open_drop(), **raw)
    assert (features["ticket_missing"], features["ticket_invalid"]) == (missing, invalid)


def test_a_bad_ticket_alone_is_a_low_score() -> None:
    for name, value in (("ticket_invalid", 1.0), ("ticket_sale", 500.0)):
        score = assess({name: value, "ticket_missing": 0.0})
        assert (score.level, len(score.reasons)) == (Level.LOW, 1)
        assert score.score > assess({}).score
    assert assess({"ticket_missing": 1.0}).score == assess({}).score
