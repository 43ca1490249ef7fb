"""What a claim's request shows of its sender."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest

from orders.risk.client import client_report
from orders.risk.folding import plain
from quantasneaks import addresses

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
    """The raw signals of a claim, and whether it filled the field that people cannot see."""
    return raw_signals(
        ip=addresses.client_address(request),
        headers=request.headers.items(),
        page_to_submit_ms=page_to_submit_ms,
        device=request.COOKIES.get(DEVICE_COOKIE, ""),
        client=read_report(request.POST.get("client", "")) if request.method == "POST" else None,
    ) | {"honeypot": bool(honeypot)}


def raw_signals(
    *,
    ip: str,
    headers: Iterable[Sequence[str]],
    page_to_submit_ms: float | None,
    device: str,
    client: dict[str, Any] | None,
) -> dict[str, Any]:
    """What is kept of a request, live or of a file: ip, headers as [[name, value], ...] in their order,
    page_to_submit_ms, device (the storefront's own cookie) and client (what its script reports); empty or None where
    there is none."""
    address = addresses.plain(ip)
    told = [
        [plain(name.title(), LONGEST_NAME), plain(value, LONGEST_VALUE) if name.lower() in HARMLESS else ""]
        for name, value in headers
        if value and name.lower() not in SECRET
    ]
    return {
        "ip": "" if address == addresses.NONE else address,
        "headers": told[:MOST_HEADERS],
        "page_to_submit_ms": possible_wait(page_to_submit_ms),
        "device": device[:LONGEST_DEVICE],
        "client": client,
    }


def possible_wait(milliseconds: float | None) -> float | None:
    """None for a time that nobody can have waited."""
    return milliseconds if milliseconds is not None and 0 <= milliseconds <= LONGEST_WAIT else None


def read_report(text: str) -> dict[str, Any] | None:
    """The hidden field that the script filled; whatever else somebody sends there is no report."""
    if not 0 < len(text) <= LONGEST_REPORT:
        return None
    try:
        return client_report(json.loads(text))
    except (ValueError, RecursionError):
        return None
