"""Claims a minute per client address, counted in PostgreSQL: a frozen Redis must not stop a claim.

A sliding window in two counts: the running minute's, and the last one's as far as it reaches into the past 60 s.
Only allowed claims are counted, so a crowd behind one address keeps its rate instead of locking itself out.
"""

import logging
import math
from contextlib import nullcontext
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, connection, transaction

from orders import clock
from orders.models import ClaimAttempts
from orders.risk.keys import ip_key

logger = logging.getLogger(__name__)

WINDOW = 60.0  # seconds
KEPT = timedelta(days=1)  # the score looks back ten minutes from a claim, and may do so until the order is decided

COUNT = """
WITH this AS (SELECT statement_timestamp() + %(offset)s::float * interval '1 second' AS at),
last AS (
    SELECT coalesce(sum(count), 0) * (1 - extract(second FROM (SELECT at FROM this)) / 60) AS left_over,
           coalesce(sum(count), 0) AS count
    FROM orders_claimattempts
    WHERE ip_key = %(key)s AND minute = (SELECT date_trunc('minute', at) - interval '1 minute' FROM this)
),
allowed AS (
    INSERT INTO orders_claimattempts AS attempts (ip_key, minute, count)
    SELECT %(key)s, date_trunc('minute', at), 1 FROM this, last WHERE left_over <= %(rate)s - 1
    ON CONFLICT (ip_key, minute) DO UPDATE SET count = attempts.count + 1
    WHERE attempts.count <= %(rate)s - 1 - (SELECT left_over FROM last)
    RETURNING 1
)
SELECT EXISTS (SELECT FROM allowed), extract(second FROM at)::float, last.count,
       coalesce(
           (SELECT count FROM orders_claimattempts WHERE ip_key = %(key)s AND minute = date_trunc('minute', at)), 0
       )
FROM this, last
"""


def count_attempt(address: str) -> int:
    """Count a claim from this address: 0 if it may go on, else the seconds to wait (Retry-After).

    A database that cannot count lets the claim pass, and leaves a surrounding transaction as it was.
    """
    rate = settings.CLAIM_RATE
    if not rate:
        return 0
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(COUNT, {"offset": clock.offset.total_seconds(), "key": ip_key(address), "rate": rate})
            allowed, second, last, current = cursor.fetchone()
    except Error as error:
        logger.warning("claim not counted: %s", type(error).__name__)
        return 0
    return 0 if allowed else seconds_to_wait(rate=rate, second=second, last=int(last), current=current)


def seconds_to_wait(*, rate: int, second: float, last: int, current: int) -> int:
    """From `second` of the running minute on until one more claim fits, if nobody else claims meanwhile."""
    if current < rate:
        fits = WINDOW * (1 - (rate - 1 - current) / last) if last else second
    else:
        fits = WINDOW + WINDOW * (1 - (rate - 1) / current)
    return max(1, math.ceil(fits - second))


def purge(now: datetime) -> int:
    """Forget old minutes; says how many."""
    return ClaimAttempts.objects.filter(minute__lt=now - KEPT).delete()[0]
