"""What somebody must do something about now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fulfillment.dashboard.figures import Backlog, Stock
from fulfillment.dashboard.pace import WINDOW, Pace
from orders.audit import SWEEP_SILENT_FOR
from orders.states import Step


@dataclass(frozen=True)
class Alarm:
    """`code` is for programs and never changes, `text` for people."""

    code: str
    text: str


def alarms(pace: Pace, stock: Stock, work: Sequence[Backlog], sweep_age: timedelta | None) -> Iterator[Alarm]:
    """The most costly first."""
    minutes = WINDOW // timedelta(minutes=1)
    if pace.alarm == "idle":
        text = f"Nobody has decided for {minutes} minutes: {len(pace.open)} wait, {pace.needed:.1f} an hour are needed."
        yield Alarm("idle", text)
    if pace.alarm == "behind":
        text = f"Deadlines will be missed: {pace.made:.1f} decisions an hour are made, {pace.needed:.1f} are needed."
        yield Alarm("behind", text)
    if stock.stray:
        yield Alarm("stock", f"{stock.stray} pairs are not in the state that their orders say.")
    if failing := sum(step.retrying for step in work if step.step == Step.COMPENSATE):
        text = f"{failing} compensations fail and are tried again: their money or pair is not back yet."
        yield Alarm("compensation_failing", text)
    if parked := sum(step.parked for step in work):
        yield Alarm("parked", f"{parked} steps are parked and wait for staff.")
    if sweep_age is None or sweep_age > SWEEP_SILENT_FOR:
        yield Alarm("sweep_silent", "The sweep does not run: beat or the workers are down.")
