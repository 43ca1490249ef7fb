"""`python -m tests.bench.sweeping`: the milliseconds of a sweep that finds nothing, and how PostgreSQL does it."""

import statistics
import time

import django

SWEEPS = 50


def main() -> None:
    django.setup()
    from django.db import transaction

    from orders import clock
    from orders.models import Callback
    from orders.sweep import BATCH, sweep

    took = []
    for _ in range(SWEEPS):
        begun = time.perf_counter()
        sweep()
        took.append(1000 * (time.perf_counter() - begun))
    print(statistics.median(took))
    with transaction.atomic():
        due = Callback.objects.due(clock.now()).select_related("order")
        print(due.select_for_update(skip_locked=True, of=("order",)).order_by("deadline_at")[:BATCH].explain())


if __name__ == "__main__":
    main()
