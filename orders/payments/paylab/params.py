"""Stripe's form encoding: `line_items[0][price_data][currency]=usd` read as nested dictionaries."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from orders.payments.paylab.errors import InvalidParam

KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
Params = dict[str, Any]

LARGEST_AMOUNT = 99_999_999  # Stripe's: eight digits
MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500  # of metadata
DEEPEST = 8


def nest(pairs: Sequence[tuple[str, str]]) -> Params:
    """The tree behind flat pairs. Lists stay dictionaries by position; `entries` reads them."""
    tree: Params = {}
    for key, value in pairs:
        match = KEY.fullmatch(key)
        if match is None or "\x00" in key + value:
            raise InvalidParam(f"Invalid parameter: {key!r}")
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        if len(path) > DEEPEST:
            raise InvalidParam(f"Invalid parameter: {key!r} is nested too deep")
        node = tree
        for part in path[:-1]:
            child = node.setdefault(part or str(len(node)), {})
            if not isinstance(child, dict):
                raise InvalidParam(f"Invalid parameter: {part!r} is both a value and an object")
            node = child
        if isinstance(node.get(path[-1]), dict):
            raise InvalidParam(f"Invalid parameter: {path[-1]!r} is both a value and an object")
        node[path[-1] or str(len(node))] = value
    return tree


def entries(params: Params, name: str) -> list[Any]:
    """A list, in the order of its positions."""
    value = params.get(name) or {}
    if not isinstance(value, dict) or not all(position.isdecimal() for position in value):
        raise InvalidParam("Invalid array", param=name)
    return [value[position] for position in sorted(value, key=int)]


def obj(params: Params, name: str) -> Params:
    """A nested object; empty when it is not there."""
    value = params.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidParam("Invalid object", param=name)
    return value


def text(params: Params, name: str, *, longest: int = 5000) -> str:
    """A string; empty when it is not there."""
    value = params.get(name, "")
    if not isinstance(value, str):
        raise InvalidParam("Invalid string", param=name)
    if len(value) > longest:
        raise InvalidParam(f"Invalid string: must be at most {longest} characters", param=name)
    return value


def choice(params: Params, name: str, allowed: Sequence[str], *, default: str | None = None) -> str:
    """One of some words."""
    value = text(params, name) or default
    if value is None:
        raise required(name)
    if value not in allowed:
        raise InvalidParam(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
    return value


def integer(params: Params, name: str, *, least: int = 0, most: int = LARGEST_AMOUNT) -> int | None:
    """A whole number, or None when it is not there."""
    value = text(params, name)
    if not value:
        return None
    if not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise InvalidParam(f"Invalid integer: {value[:50]}", code="parameter_invalid_integer", param=name)
    number = int(value)
    if not least <= number <= most:
        raise InvalidParam(f"Invalid integer: must be from {least} to {most}", param=name)
    return number


def metadata(params: Params) -> dict[str, str]:
    """Free notes of the caller, within Stripe's limits."""
    notes = obj(params, "metadata")
    if len(notes) > MOST_KEYS or any(
        len(key) > LONGEST_KEY or not isinstance(value, str) or len(value) > LONGEST_VALUE
        for key, value in notes.items()
    ):
        raise InvalidParam(
            f"Metadata takes up to {MOST_KEYS} keys of {LONGEST_KEY} characters with values of {LONGEST_VALUE}",
            param="metadata",
        )
    return notes


def url(params: Params, name: str) -> str:
    """A web address; empty when it is not there. Browsers are sent to it, so nothing else may pass."""
    value = text(params, name)
    if value and not origin(value):
        raise InvalidParam("Not a valid URL", code="url_invalid", param=name)
    return value


def origin(address: str) -> str:
    """Scheme, host and port of a web address, fit to stand in a Content-Security-Policy; empty if it is none."""
    if re.search(r"[\x00-\x20\x7f\\]", address):
        return ""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or parts.username is not None:
        return ""
    if re.fullmatch(r"[0-9a-f:.]+", host) and ":" in host:
        host = f"[{host}]"
    elif not re.fullmatch(r"[a-z0-9._-]+", host):
        return ""
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def required(name: str) -> InvalidParam:
    return InvalidParam(f"Missing required param: {name}.", code="parameter_missing", param=name)


def expansions(params: Params) -> Iterator[list[str]]:
    """`expand[]=payment_intent.latest_charge` as paths."""
    for path in entries(params, "expand"):
        if not isinstance(path, str) or path.count(".") > 3:
            raise InvalidParam("Property cannot be expanded more than 4 levels deep", param="expand")
        yield path.split(".")
