"""What a claim's request shows of its sender."""

import json
from typing import Any

from django.http import HttpRequest

from orders.risk.client import client_report
from orders.risk.folding import plain
from quantasneaks.addresses import client_address

DEVICE_COOKIE = "qs_device"
LONGEST_DEVICE = 64
LONGEST_REPORT = 2000

MOST_HEADERS = 40
LONGEST_NAME = 60
LONGEST_VALUE = 300
LONGEST_WAIT = 24 * 60 * 60 * 1000  # ms; a page older than a day says nothing
# Only these keep their value. Any other header may be a secret (a cookie, a token) or the path of somebody's order
# (Referer): that it was there, and where, is enough.
BROWSERS_SEND = """
accept accept-charset accept-encoding accept-language cache-control connection content-type dnt pragma priority
sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc te
upgrade-insecure-requests user-agent x-requested-with
"""
HARMLESS = frozenset(BROWSERS_SEND.split())
SECRET = frozenset({"cookie", "authorization", "proxy-authorization"})


def read_signals(request: HttpRequest, *, page_to_submit_ms: int | None, honeypot: bool) -> dict[str, Any]:
    """The raw signals of a claim: ip, headers as [[name, value], ...] in their order, page_to_submit_ms, honeypot,
    device (the storefront's own cookie) and client (what its script reports); None where there is none."""
    headers = [
        [plain(name, LONGEST_NAME), plain(value, LONGEST_VALUE) if name.lower() in HARMLESS else ""]
        for name, value in request.headers.items()
        if value and name.lower() not in SECRET
    ]
    if page_to_submit_ms is not None and not 0 <= page_to_submit_ms <= LONGEST_WAIT:
        page_to_submit_ms = None
    return {
        "ip": client_address(request),
        "headers": headers[:MOST_HEADERS],
        "page_to_submit_ms": page_to_submit_ms,
        "honeypot": bool(honeypot),
        "device": request.COOKIES.get(DEVICE_COOKIE, "")[:LONGEST_DEVICE],
        "client": read_report(request.POST.get("client", "")) if request.method == "POST" else None,
    }


def read_report(text: str) -> dict[str, Any] | None:
    """The hidden field that the script filled; whatever else somebody sends there is no report."""
    if not 0 < len(text) <= LONGEST_REPORT:
        return None
    try:
        return client_report(json.loads(text))
    except (ValueError, RecursionError):
        return None
