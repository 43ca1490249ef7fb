"""A worker that ends at the point it is told, by `os._exit`: nothing is caught, closed, rolled back or written after.

`python -m tests.chaos.dying_worker DATABASE URL SECONDS_AHEAD STEP CALL before|after|recorded`
"""

import os
import sys
from datetime import timedelta
from typing import Any

DEAD = 9


def main(database: str, url: str, ahead: str, step: str, call: str, moment: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quantasneaks.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    connection.settings_dict["NAME"] = database
    settings.INTERNAL_URL = settings.PUBLIC_URL = url
    settings.PAYMENT_API_BASE, settings.CARRIER_API_BASE = f"{url}/paylab", f"{url}/parcellab"

    from orders import clock, engine, workflow
    from orders.payments.stripe import StripeProvider
    from orders.shipping.http import HttpCarrier
    from orders.states import Step

    clock.offset = timedelta(seconds=float(ahead))

    if moment == "recorded":
        real_finish = engine.Lease.recording

        def record_and_die(self: Any, *states: Any, **how: Any) -> Any:
            return _Last(real_finish(self, *states, **how))

        engine.Lease.recording = record_and_die  # type: ignore[assignment]
    else:
        owner: Any = HttpCarrier if call in ("ship", "cancel") else StripeProvider
        real = getattr(owner, call)

        def die(*args: Any, **kwargs: Any) -> None:
            if moment == "after":
                real(*args, **kwargs)
            os._exit(DEAD)

        setattr(owner, call, die)
    engine.run_due([Step(step)], workflow.undo_order)
    sys.exit("the point was never reached")


class _Last:
    """The first transaction that a step records is its process's last act."""

    def __init__(self, recording: Any) -> None:
        self.recording = recording

    def __enter__(self) -> Any:
        return self.recording.__enter__()

    def __exit__(self, *trouble: Any) -> Any:
        self.recording.__exit__(*trouble)
        os._exit(DEAD)


if __name__ == "__main__":
    main(*sys.argv[1:])
