"""`manage.py paylab`: what PayLab shall do wrong, and what time it is there."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from orders.payments.paylab import clock, faults
from orders.payments.paylab.models import Fault, FaultKind, Session


class Command(BaseCommand):
    help = "Tells PayLab what to do wrong. Without an argument: shows what is set, and where the control page is."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", metavar="fault | clear | clock")
        fault = acts.add_parser("fault", help="from now on this goes wrong")
        fault.add_argument("kind", choices=FaultKind.values)
        fault.add_argument("--rate", type=float, default=1.0, help="0 to 1; default 1: at every chance")
        fault.add_argument("--times", type=int, help="how often at most; default: for ever")
        fault.add_argument("--delay", type=float, metavar="SECONDS", help="how late, how long, how soon")
        fault.add_argument("--action", default="", help="only this call (capture_intent) or type of event")
        fault.add_argument("--session", help="only this Checkout Session")
        fault.add_argument("--seed", type=int, default=0, help="of the dice")
        acts.add_parser("clear", help="all goes right again, and the clock is the world's")
        ahead = acts.add_parser("clock", help="let time pass for PayLab alone")
        ahead.add_argument("minutes", type=float)

    def handle(self, *args: Any, **options: Any) -> None:
        match options["act"]:
            case "fault":
                self.add(options)
            case "clear":
                Fault.objects.all().delete()
                clock.reset()
            case "clock":
                clock.advance(timedelta(minutes=options["minutes"]))
        self.show()

    def add(self, options: dict[str, Any]) -> None:
        if not 0 <= options["rate"] <= 1:
            raise CommandError("The rate is a share, from 0 to 1.")
        session = None
        if options["session"]:
            session = Session.objects.filter(ref=options["session"]).first()
            if session is None:
                raise CommandError("There is no such session.")
        faults.add(
            FaultKind(options["kind"]),
            session=session,
            action=options["action"],
            rate=options["rate"],
            left=options["times"],
            delay=None if options["delay"] is None else timedelta(seconds=options["delay"]),
            seed=options["seed"],
        )

    def show(self) -> None:
        self.stdout.write(
            f"Control page: {settings.PUBLIC_URL}{reverse('paylab:control')} (user: {settings.PAYLAB_API_KEY})"
        )
        self.stdout.write(f"PayLab's clock: {clock.now():%Y-%m-%d %H:%M:%S} UTC")
        for fault in Fault.objects.filter(session=None).order_by("pk"):
            times = "for ever" if fault.left is None else f"{fault.left} times more"
            action = f" at {fault.action}" if fault.action else ""
            self.stdout.write(f"  {fault.kind}{action}, rate {fault.rate:g}, {times}, delay {fault.delay}")
