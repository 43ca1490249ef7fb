"""What a locked order has to say is written in one statement: its journal, what comes next, and the row itself."""

from typing import TYPE_CHECKING

from django.db import connection
from psycopg.types.json import Jsonb

from orders.models.work import Work

if TYPE_CHECKING:
    from orders.models.order import Order

# A step that is there already is due now, or at a later time. One that is done goes, unless it was rung for meanwhile.
COMMIT = """
WITH journal AS (
    INSERT INTO orders_event (order_id, at, what, state, outcome, actor, who, cause, attempt, data)
    SELECT %(number)s, %(now)s, line.* FROM jsonb_to_recordset(%(journal)s) AS line (
        what text, state text, outcome text, actor text, who text, cause text, attempt int, data jsonb
    )
), changed AS (
    UPDATE orders_order
    SET state = %(state)s, outcome = %(outcome)s, pair_id = %(pair_id)s, undo = %(undo)s, score = %(score)s,
        level = %(level)s, score_degraded = %(score_degraded)s, updated_at = %(updated_at)s
    WHERE number = %(number)s AND %(changed)s
), enqueued AS (
    INSERT INTO orders_work (order_id, step, due_at, attempts, crashes, last_error)
    SELECT %(number)s, step, due_at, 0, 0, '' FROM unnest(%(steps)s::text[], %(due)s::timestamptz[]) AS w (step, due_at)
    ON CONFLICT (order_id, step) DO UPDATE SET due_at = excluded.due_at
    RETURNING id, step, due_at
), done AS (
    DELETE FROM orders_work
    WHERE id = %(work)s AND step <> ALL (%(steps)s::text[]) AND (due_at = %(was_due)s OR %(once)s)
    RETURNING id
)
SELECT id, step, due_at FROM enqueued UNION ALL SELECT id, NULL, NULL FROM done
"""


def write(order: "Order", changed: bool, finished: Work | None, once: bool) -> bool:
    """Write what was said of the locked order since its lock; `order.enqueued` are the rows of what comes next.

    Returns whether the row of the step that is `finished` has gone; with `once` it goes even if it was rung for again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            COMMIT,
            vars(order)
            | {
                "journal": Jsonb(order.journal),
                "changed": changed,
                "steps": list(order.upcoming),
                "due": list(order.upcoming.values()),
                "work": finished and finished.pk,
                "was_due": finished and finished.due_at,
                "once": once,
            },
        )
        rows = cursor.fetchall()
    order.enqueued = [Work(id=pk, order_id=order.number, step=step, due_at=due_at) for pk, step, due_at in rows if step]
    return len(rows) > len(order.enqueued)
