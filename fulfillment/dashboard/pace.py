"""Do the reviewers keep up? The rate of decisions that the open deadlines need, against the rate that there is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fulfillment.models import Decision
from fulfillment.reasons import Verdict
from fulfillment.reviews import TimeLeft, in_review

WINDOW = timedelta(minutes=30)  # in which the decisions of now are counted
HOUR = timedelta(hours=1)
HOURS = 24


def needed_rate(lefts: Iterable[timedelta]) -> float:
    """Decisions an hour that meet every deadline, given how long each open review has left.

    Sorted by deadline, the first k reviews must be decided within the time to the k-th deadline, for every k:
    needed = max over k of k / (time to the k-th deadline). 500 reviews that are due in 24 h need 20.8 an hour; 10 of
    them due in 15 min need 40. It assumes that the most urgent is decided first, as the desk lists them.
    """
    return max((k / (left / HOUR) for k, left in enumerate(sorted(lefts), start=1)), default=0.0)


@dataclass(frozen=True)
class Pace:
    """Of all drops together: they have the same reviewers."""

    open: Sequence[TimeLeft]  # the most urgent first
    decided: Sequence[tuple[datetime, str]]  # of the last HOURS: when, verdict; the last one first
    now: datetime

    @property
    def needed(self) -> float:
        return needed_rate(time.left for time in self.open)

    @property
    def made(self) -> float:
        """Decisions an hour, by those of the last WINDOW."""
        return self.since(WINDOW) / (WINDOW / HOUR)

    def since(self, span: timedelta) -> int:
        return sum(at > self.now - span for at, _ in self.decided)

    @property
    def urgency(self) -> dict[str, int]:
        counts = Counter(time.urgency for time in self.open)
        return {name: counts[name] for name in ("urgent", "soon", "calm")}

    @property
    def oldest(self) -> timedelta | None:
        """How long the review that was opened first has waited."""
        return max((self.now - time.opened_at for time in self.open), default=None)

    @property
    def alarm(self) -> str:
        """`idle`: nobody decides. `behind`: at this rate a deadline will be missed. Empty where all is well.

        None is raised before the reviewers had a WINDOW, or half of the time to decide, for the review that has waited
        longest: a sale that opens is no alarm.
        """
        if all(self.now - time.opened_at < WINDOW and time.urgency == "calm" for time in self.open):
            return ""
        return "idle" if not self.made else "behind" if self.made < self.needed else ""

    def by_hour(self) -> list[dict[str, int]]:
        """Decisions by verdict in each of the last HOURS, the present one last."""
        hours = [dict.fromkeys(Verdict.values, 0) for _ in range(HOURS)]
        for at, verdict in self.decided:
            hours[HOURS - 1 - (self.now - at) // HOUR][verdict] += 1
        return hours


def pace(now: datetime) -> Pace:
    """Two queries. An authorisation that has lapsed already waits for nobody's decision."""
    settled = Decision.objects.filter(withdrawn_at__isnull=True, needs_second=False)
    recent = settled.filter(decided_at__gt=now - HOURS * HOUR, decided_at__lte=now).order_by("-decided_at")
    return Pace(
        open=[
            TimeLeft(opened_at, urgent_at, now)
            for opened_at, urgent_at in in_review().values_list("opened_at", "urgent_at")  # type: ignore[misc]
            if urgent_at > now
        ],
        decided=list(recent.values_list("decided_at", "verdict")),
        now=now,
    )
