"""Beat's schedule from the database, looked at now and then: an idle shop asks next to nothing."""

import time

from django_celery_beat.schedulers import DatabaseScheduler

LOOK_EVERY = 5  # seconds; django-celery-beat itself looks several times at each tick


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    next_look = 0.0

    def schedule_changed(self) -> bool:
        """Did staff change a periodic task since the last look?"""
        if time.monotonic() < self.next_look:
            return False
        self.next_look = time.monotonic() + LOOK_EVERY
        return bool(super().schedule_changed())
