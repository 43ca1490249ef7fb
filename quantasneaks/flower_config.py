"""Flower's settings, read by `celery flower --conf`: the password never stands on a command line."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if not settings.STAFF_PASSWORD:
    raise ImproperlyConfigured("QS_STAFF_PASSWORD: Flower does not open without a password")

address = settings.BIND
port = settings.FLOWER_PORT
basic_auth = [f"ops:{settings.STAFF_PASSWORD}"]  # for the pages and the API alike
persistent = False
max_tasks = 5000  # of the latest, so that its memory has an end: a sweep each second makes 86,400 a day
