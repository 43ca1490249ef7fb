"""A proof of work (ALTCHA v2) that the storefront's script solves while the customer types.

It costs a phone half a second and a farm cents, so it keeps nobody out: a claim without one, or with a bad one, is
taken like any other. It tells how long the work took, and who sends the work for one page with many claims.
"""

import json
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from altcha import Payload, create_challenge, verify_solution

from orders.risk import keys

# About a thousand keys of a thousand rounds each. The one that we make beforehand costs the page 0.2 ms, and is why
# the check costs next to nothing and the work varies so little that its time tells something.
ALGORITHM, ROUNDS = "PBKDF2/SHA-256", 1000
FEWEST, MOST = 750, 1250  # keys
LIFE = timedelta(hours=2)
LONGEST = 2000  # characters; a ticket has under 900


class Ticket(StrEnum):
    """What came with a claim."""

    MISSING = ""
    VALID = "valid"
    LATE = "late"  # the page was open for longer than LIFE: as good as none
    INVALID = "invalid"  # not solved, or not ours


def issue(now: datetime) -> str:
    """The challenge of one page, as JSON."""
    challenge = create_challenge(
        ALGORITHM,
        ROUNDS,
        counter=FEWEST + secrets.randbelow(MOST - FEWEST),
        data={"issued": milliseconds(now)},
        hmac_secret=secret("challenge"),
        hmac_key_secret=secret("solution"),
    )
    return json.dumps(challenge.to_dict())


def read(sent: str, now: datetime) -> dict[str, Any]:
    """What a claim's signals keep of its ticket: `ticket` as above, and of a valid one `ticket_ms` and `ticket_id`.

    The script says how long the work took; the time since the page was made is the limit of what it can say. That time
    is signed; ALTCHA's own `expiresAt` is looked at before any signature, so a forger would choose to be late.
    """
    if not sent:
        return {"ticket": Ticket.MISSING}
    try:
        payload = Payload.from_base64(sent if len(sent) <= LONGEST else "")
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"ticket": Ticket.INVALID}
    checked = verify_solution(payload, secret("challenge"), hmac_key_secret=secret("solution"))
    if not checked.verified:
        return {"ticket": Ticket.INVALID}
    parameters, took = payload.challenge.parameters, payload.solution.time
    assert parameters.data is not None
    since = milliseconds(now) - parameters.data["issued"]
    if since > LIFE / timedelta(milliseconds=1):
        return {"ticket": Ticket.LATE}
    told = isinstance(took, int | float) and took >= 0
    return {
        "ticket": Ticket.VALID,
        "ticket_ms": int(min(took, since)) if told else None,
        "ticket_id": parameters.nonce,
    }


def secret(purpose: str) -> str:
    return keys.digest("ticket secret", purpose, 64)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
