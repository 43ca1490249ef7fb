"""Logs: one event a line, and never an order's public id, which is its customer's credential.

Leaf code: used by the settings.
"""

import logging
import re
from typing import Any

import structlog

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def without_public_ids(text: str) -> str:
    """The text without what could be an order's public id."""
    return UUID.sub("<id>", text)


class WithoutPublicIds(logging.Formatter):
    """Wraps the real formatter: Django's own lines name the path of a failed request, and the id is in it."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        return without_public_ids(self.formatter.format(record))


def formatter() -> logging.Formatter:
    """`2026-01-01T00:00:00Z [info] claim accepted [orders] number=17`."""
    return WithoutPublicIds(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(
                    colors=False,
                    pad_event_to=0,
                    sort_keys=False,
                    # Never rich: its traceback shows local variables, customers' data among them, and takes seconds.
                    exception_formatter=structlog.dev.plain_traceback,
                ),
            ],
        )
    )


def logging_config(*, debug: bool) -> dict[str, Any]:
    """The dictConfig for Django and Celery alike; everything goes to standard error."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "quantasneaks.logs.formatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "DEBUG" if debug else "INFO"},
        "loggers": {
            # A refused request is an answer, not news; its line would name the path.
            "django.request": {"level": "ERROR"},
            # One line per doorbell says nothing: each step logs what it did.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.request": {"level": "WARNING"},  # bells that went stale
            "celery.beat": {"level": "WARNING"},
            "django_celery_beat.schedulers": {"level": "WARNING"},
            "flower": {"level": "WARNING"},
            "flower.inspector": {"level": "ERROR"},  # it asks before the workers are there
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "openai": {"level": "WARNING"},
            "axes": {"level": "WARNING"},  # wrong passwords, not each log-in
            "stripe": {"level": "WARNING"},
        },
    }
