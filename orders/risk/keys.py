"""Keyed hashes of what links orders. The pepper is not in the database, so a dump cannot be turned back.

A key of two parts begins with the hash of the wider one: everything of one private domain, or of one house number in
its postcode, is a range of the same index.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from orders.risk.mailboxes import registrable
from orders.risk.postal import Place
from quantasneaks.addresses import network

KEY = 32  # hexadecimal digits
WIDER = 12  # of these, for the wider part
SUBSCRIBER = 8  # last digits of a phone number: its prefix is written in many ways (+49, 0049, 0)
SHORTEST_PHONE = 6


def digest(kind: str, value: str, size: int = KEY) -> str:
    return hmac.digest(settings.RISK_PEPPER, f"{kind}:{value}".encode(), "sha256").hex()[:size]


def ip_key(address: str) -> str:
    """The IPv4 address, or the IPv6 /64 that one person has; empty for none."""
    return digest("ip", network(address, v4=32, v6=64)) if address else ""


def net_key(address: str) -> str:
    return digest("net", network(address, v4=24, v6=48)) if address else ""


def token_key(kind: str, token: str) -> str:
    """Of a device cookie or a card's fingerprint; empty for none."""
    return digest(kind, token) if token else ""


def header_key(headers: Sequence[Sequence[str]]) -> str:
    """Of the names in their order: the client's program and version more than its owner."""
    return digest("headers", "|".join(name for name, _ in headers)) if headers else ""


def print_key(headers: Sequence[Sequence[str]], client: Mapping[str, Any] | None) -> str:
    """Of what the browser says and its script reports; empty without a report. Many people have the same phone."""
    if not client:
        return ""
    spoken = [value for name, value in headers if name.lower() in ("user-agent", "accept-language")]
    return digest("print", json.dumps([[name for name, _ in headers], spoken, client], sort_keys=True))


def email_key(customer_key: str) -> str:
    """Of the canonical mailbox, see orders.customers; empty for none."""
    if not customer_key:
        return ""
    domain = registrable(customer_key.rpartition("@")[2])
    return digest("domain", domain, WIDER) + digest("mailbox", customer_key, KEY - WIDER)


def address_key(place: Place | None) -> str:
    """Empty for no address."""
    if place is None:
        return ""
    return digest("block", place.block, WIDER) + digest("street", place.street, KEY - WIDER)


def phone_key(phone: str, country: str) -> str:
    """Of the subscriber's digits within the country; empty for none or a stopgap such as 000000."""
    digits = re.sub(r"\D", "", phone)[-SUBSCRIBER:]
    if len(digits) < SHORTEST_PHONE or len(set(digits)) == 1:
        return ""
    return digest("phone", f"{country.upper()}:{digits}")
