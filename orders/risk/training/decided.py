"""What reviewers decided, as a table to learn from.

Only what the reason says about the person is a label: an address that cannot be delivered to makes nobody a reseller.
Labels are selective: a rejected order never shows what it would have become, and a reviewer who saw the score may
repeat it. So orders that were decided without the score (Evidence.explored) count most; see docs/decisions/0010.
"""

import numpy as np

from orders.models import Event
from orders.risk.features import VERSION
from orders.risk.training.table import BadTable, Table, columns_of

HOSTILE = ("suspected_bot", "suspected_reseller", "duplicate_customer", "payment_risk")
GENUINE = ("looks_genuine", "known_customer", "verified_by_contact")
SEEN, EXPLORED = 2.0, 5.0  # weights; an invented order counts 1


def decided() -> Table:
    """Every order with a decision that is a label, in the order of the decisions. Raises BadTable where there is none.

    The journal tells: a decision stands in it when it takes effect. A vector of another release means something else,
    and that of a degraded score may lack anything: neither is learned from.
    """
    events = (
        Event.objects.filter(what__in=["approved", "rejected"], cause__in=[*HOSTILE, *GENUINE])
        .filter(order__evidence__model__endswith=f"/{VERSION}", order__score_degraded=False)
        .order_by("at", "id")
        .values_list("cause", "order__evidence__features", "order__evidence__explored")
    )
    rows = list(events)
    if not rows:
        raise BadTable("nobody has decided an order yet for a reason that is a label")
    names, values = columns_of([features for _, features, _ in rows])
    return Table(
        names,
        values,
        np.array([int(cause in HOSTILE) for cause, _, _ in rows]),
        ["decided"] * len(rows),
        np.array([EXPLORED if explored else SEEN for _, _, explored in rows]),
    )
