"""Reading a claim: the content type decides how, and a body that cannot be read is refused before anything else."""

import json
import re
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError

from orders.storefront.refusals import Malformed, TooLarge, UnsupportedMediaType

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
FIELDS = ("size", "email", "name", "line1", "line2", "city", "postcode", "country", "phone")
# No database column takes these: NUL, half a surrogate pair, what Django's form parser puts in place of bytes that are
# no UTF-8.
UNREADABLE = re.compile("[\0\ud800-\udfff\ufffd]")


def read_claim(request: HttpRequest) -> dict[str, str]:
    """The claim's fields as sent; unknown ones are ignored. Raises Malformed, TooLarge, UnsupportedMediaType."""
    if request.content_type == JSON:
        return fields_of(parse_json(read_body(request)))
    if request.content_type not in FORMS:
        raise UnsupportedMediaType("Send the claim as a form or as application/json.")
    refuse_large(request)
    try:
        form = request.POST.dict()
    except (MultiPartParserError, BadRequest, SuspiciousOperation, UnreadablePostError) as error:
        raise Malformed("The form could not be read.") from error
    refuse_unreadable(form)
    return fields_of(form)


def refuse_large(request: HttpRequest) -> None:
    """By the length that is announced, before anything is read."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError as error:
        raise Malformed("The body's length is no number.") from error
    if length > settings.LARGEST_CLAIM:
        raise TooLarge(f"A claim has at most {settings.LARGEST_CLAIM} bytes.")


def read_body(request: HttpRequest) -> bytes:
    """The body, also one that comes in chunks without an announced length, which Django itself would not read."""
    refuse_large(request)
    try:
        if request.META.get("CONTENT_LENGTH") or "chunked" not in request.headers.get("Transfer-Encoding", "").lower():
            return request.body
        return read_chunks(request.META["wsgi.input"])
    except (SuspiciousOperation, UnreadablePostError) as error:
        raise Malformed("The body could not be read.") from error


def read_chunks(stream: BinaryIO) -> bytes:
    body = b""
    while chunk := stream.read(settings.LARGEST_CLAIM + 1 - len(body)):
        body += chunk
        if len(body) > settings.LARGEST_CLAIM:
            raise TooLarge(f"A claim has at most {settings.LARGEST_CLAIM} bytes.")
    return body


def parse_json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body.decode(), parse_float=Decimal, parse_constant=refuse_constant)
    except (ValueError, ArithmeticError, RecursionError) as error:  # bad UTF-8, absurd numbers, deep nests
        raise Malformed("The body is no valid JSON.") from error
    if not isinstance(parsed, dict):
        raise Malformed("The body must be a JSON object.")
    return parsed


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def fields_of(parsed: dict[str, Any]) -> dict[str, str]:
    """The claim's fields as text; null counts as absent, and a size may be a number."""
    claim = {}
    for name in FIELDS:
        value = parsed.get(name)
        if value is None:
            continue
        if name == "size" and isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise Malformed(f"{name} must be text.")
        claim[name] = value
    refuse_unreadable(claim)
    return claim


def refuse_unreadable(values: dict[str, str]) -> None:
    for text in (*values, *values.values()):
        if UNREADABLE.search(text):
            raise Malformed("The body holds characters that are no text.")
