"""What somebody is told whose log-in failed too often; django-axes counts, by name and address."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def wait(request: HttpRequest, answer: HttpResponse, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """In place of the log-in's own answer, and the same whether there is such a person or not."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    detail = f"There were too many wrong passwords. Please try again in {minutes} minutes, or ask an administrator."
    page = render(request, "fulfillment/refused.html", {"detail": detail}, status=429)
    page.headers["Retry-After"] = str(minutes * 60)
    return page
