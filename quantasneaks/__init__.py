"""The project: settings, Celery, URLs, health and the servers behind `make run`."""

from quantasneaks.celery import app as celery_app

__all__ = ["celery_app"]
