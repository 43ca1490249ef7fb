"""Is the shop well? Asked by `make run`, by proxies and containers, and by Prometheus."""

import hmac
import ipaddress
import time

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from quantasneaks import checks
from quantasneaks.addresses import client_address

PATIENCE = 0.7  # seconds for both checks together; the answer comes within one


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process is up; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether orders can be taken. A broker that does not answer only degrades: claims work without it."""
    deadline = time.monotonic() + PATIENCE
    database, broker = checks.database.begin(), checks.broker.begin()
    migrated = checks.result(database, deadline)
    heard = checks.result(broker, deadline)
    ready = migrated is True
    return JsonResponse(
        {
            "status": "unavailable" if not ready else "ready" if heard else "degraded",
            "database": "unavailable" if migrated is None else "ready",
            "broker": "ready" if heard else "unavailable",
            "migrations": "unknown" if migrated is None else "ready" if migrated else "pending",
        },
        status=200 if ready else 503,
    )


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for this machine or whoever shows the token."""
    from orders.metrics import exposition  # reads the models, which this module must load without

    if not may_see_metrics(request):
        return HttpResponse("metrics are for loopback or a bearer token\n", status=403, content_type="text/plain")
    try:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")


def may_see_metrics(request: HttpRequest) -> bool:
    """The client itself is this machine (not merely its proxy), or it has the token."""
    if ipaddress.ip_address(client_address(request)).is_loopback:
        return True
    given = request.headers.get("Authorization", "").encode()
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given, expected)
