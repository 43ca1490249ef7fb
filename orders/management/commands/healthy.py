"""`manage.py healthy web|sweep|flower`: what a container's health check asks; exit 1 means no."""

import http.client
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders import clock
from orders.models import SweepBeat

SILENT_FOR = timedelta(seconds=30)


def web() -> bool:
    """The shop answers."""
    return answers(settings.PORT, "/healthz", 200)


def flower() -> bool:
    """Flower answers, and asks for the log-in."""
    return answers(settings.FLOWER_PORT, "/", 401)


def sweep() -> bool:
    """A real task went through beat, broker and a worker within the last 30 s (T13): a ping would not show that."""
    last = SweepBeat.objects.values_list("at", flat=True).first()
    return last is not None and clock.now() - last < SILENT_FOR


def answers(port: int, path: str, code: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": settings.ALLOWED_HOSTS[0]})
        return connection.getresponse().status == code
    except OSError:
        return False
    finally:
        connection.close()


QUESTIONS = {"web": web, "sweep": sweep, "flower": flower}


class Command(BaseCommand):
    help = "Answers a container's health check."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question", choices=QUESTIONS)

    def handle(self, *args: Any, **options: Any) -> None:
        if not QUESTIONS[options["question"]]():
            raise CommandError(f"{options['question']}: not healthy")
