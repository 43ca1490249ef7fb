"""The shop's processes: what each is started with, and how it is asked to stop."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from quantasneaks import embedded

MANAGE = (sys.executable, "manage.py")
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "quantasneaks")


@dataclass(frozen=True)
class Program:
    """A process by its name in the logs. One that runs `once` is not started again when it ends."""

    name: str
    command: Sequence[str]
    once: bool = False
    stop_signal: str = "TERM"
    user: str = ""  # empty: whoever runs the shop
    directory: Path = settings.BASE_DIR


def embedded_database() -> bool:
    """Whether the settings point to the PostgreSQL of this data folder."""
    return bool(settings.DATABASES["default"]["OPTIONS"].get("host") == str(settings.DATA_DIR.sockets))


def embedded_broker() -> bool:
    """Whether the settings point to the Valkey of this data folder."""
    return bool(settings.REDIS_URL.endswith(f"://{settings.DATA_DIR.valkey_socket}"))


def servers() -> list[Program]:
    """The embedded servers; none of those that run elsewhere."""
    found = []
    if embedded_database():
        as_root = os.geteuid() == 0
        found.append(
            Program(
                "postgres",
                embedded.postgres_command(settings.DATA_DIR),
                stop_signal="INT",  # a fast shutdown: TERM would wait for every client
                user=embedded.ROOTS_STAND_IN if as_root else "",
                directory=Path("/"),
            )
        )
    if embedded_broker():
        found.append(Program("valkey", embedded.valkey_command(settings.DATA_DIR)))
    return found


def preparations() -> list[Program]:
    """What runs to its end, in this order, before the shop opens."""
    migrate = Program("migrate", (*MANAGE, "migrate", "--verbosity=1"), once=True)
    return [migrate, Program("demo", (*MANAGE, "load_demo"), once=True)] if settings.DEMO else [migrate]


def shop() -> list[Program]:
    """The shop itself. The same processes as in docker-compose.yml."""
    web = (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "quantasneaks.wsgi:application"),
        *("--host", settings.BIND, "--port", str(settings.PORT), "--workers", "2"),
        *("--blocking-threads", "128"),  # they only wait: see bulkhead.py
        # No access log: a customer's path holds the customer's credential.
        *("--no-access-log", "--log-level", "error"),
        *("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "4"),
    )
    quiet = ("--without-mingle", "--without-gossip")  # workers need to know nothing of each other
    programs = [
        Program("web", web),
        Program("relay", (*MANAGE, "relay")),
        Program(
            "worker",
            (*CELERY, "worker", "-Q", "sweep,orders", "-c", str(settings.WORKERS), "-n", "worker@%h", *quiet),
        ),
        Program("mailer", (*CELERY, "worker", "-Q", "sweep,mails", "-c", "1", "-n", "mailer@%h", *quiet)),
        Program("beat", (*CELERY, "beat")),
        Program("flower", (*CELERY, "flower", "--conf=quantasneaks/flower_config.py")),
    ]
    if settings.ANALYST_URL:
        programs.append(Program("analyst", (*CELERY, "worker", "-Q", "analyst", "-c", "1", "-n", "analyst@%h", *quiet)))
    if settings.PAYLAB:
        programs.append(Program("paylab", (*MANAGE, "paylab_courier")))
    return programs
