"""Whose request is this? Leaf code, used by the storefront's limits, the score and /metrics."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

NONE = "0.0.0.0"  # noqa: S104  # an address to count by, not to bind to


def client_address(request: HttpRequest) -> str:
    """The customer's address: the last hop of X-Forwarded-For that is no trusted proxy, else the peer's own.

    Any peer that is not in QS_TRUSTED_PROXIES may write what it likes into that header; it is not read.
    """
    hop = plain(request.META.get("REMOTE_ADDR", ""))
    hops = [plain(part) for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    while hops and any(ipaddress.ip_address(hop) in proxies for proxies in settings.TRUSTED_PROXIES):
        hop = hops.pop()
    return hop


@lru_cache  # one claim asks five times
def plain(text: str) -> str:
    """An address in its one spelling; NONE for what is no address, so that nonsense shares one limit."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return NONE
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache
def network(address: str, *, v4: int, v6: int) -> str:
    """The network of an address, for instance /24 or /48; a person with IPv6 has a whole /64."""
    parsed = ipaddress.ip_address(address)
    return str(ipaddress.ip_network((address, v4 if parsed.version == 4 else v6), strict=False))
