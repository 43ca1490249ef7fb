"""The door of the API: who asks, what they sent, whether we answered it before."""

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from orders.payments.paylab import clock, faults
from orders.payments.paylab.errors import (
    ApiError,
    Broken,
    CaptureRefused,
    InvalidParam,
    KeyMisused,
    Unauthorised,
    UnknownAddress,
)
from orders.payments.paylab.models import Fault, FaultKind, IdempotencyKey, name
from orders.payments.paylab.params import nest, text

LONGEST_KEY = 255
Act = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    replayed: bool = False


def endpoint(methods: Mapping[str, Act]) -> Callable[..., HttpResponse]:
    """A view for one address: authentication, parameters, idempotency and errors are the same everywhere."""

    @csrf_exempt  # a key in a header, no cookie
    def view(request: HttpRequest, **place: str) -> HttpResponse:
        try:
            authenticate(request)
            act = methods.get(request.method or "")
            if act is None:
                raise UnknownAddress(f"Unrecognized request URL ({request.method}: {request.path}).")
            # The query belongs to a GET, the body to a POST; both are read as Stripe reads them.
            raw = request.META["QUERY_STRING"] if request.method == "GET" else request.body.decode(errors="replace")
            pairs = parse_qsl(raw, keep_blank_values=True)
            params = nest(pairs)
            about = place.get("ref") or text(params, "payment_intent")
            fault = faults.play(*faults.of_call(act.__name__), ref=about, action=act.__name__)
            if request.method == "POST" and (key := request.headers.get("Idempotency-Key")):
                answer = once(key, request.path, pairs, lambda: do(act, params, place, fault))
            else:
                answer = do(act, params, place, fault)
            if fault and fault.kind in (FaultKind.SLOW, FaultKind.TIMEOUT_AFTER):
                time.sleep(fault.delay.total_seconds())
        except ApiError as error:
            answer = Answer(error.status, error.body)
        return respond(request, answer)

    return view


def do(act: Act, params: dict[str, Any], place: Mapping[str, str], fault: Fault | None) -> Answer:
    """The call itself, unless a fault comes before it or hides what it did."""
    if fault and fault.kind in (FaultKind.ERROR_BEFORE, FaultKind.VOID_FAILS):
        raise Broken
    if fault and fault.kind == FaultKind.CAPTURE_FAILS:
        raise CaptureRefused
    answer = Answer(200, act(params, **place))
    if fault and fault.kind == FaultKind.ERROR_AFTER:
        return Answer(Broken.status, Broken().body)
    return answer


def authenticate(request: HttpRequest) -> None:
    """Bearer or Basic (the key as user name), in constant time. Raises Unauthorised."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            credentials = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            credentials = ""
    elif scheme.lower() != "bearer":
        credentials = ""
    if not credentials:
        raise Unauthorised("You did not provide an API key: use HTTP basic or bearer authentication.")
    if not (settings.PAYLAB_API_KEY and constant_time_compare(credentials.strip(), settings.PAYLAB_API_KEY)):
        raise Unauthorised("Invalid API Key provided.")


def once(key: str, path: str, pairs: list[tuple[str, str]], act: Callable[[], Answer]) -> Answer:
    """Do it, or give the answer that was given before.

    The key's row and the effect are one transaction, and the key is unique: of two calls at the same instant the
    second waits for the first and gets its answer. Raises KeyMisused.
    """
    if len(key) > LONGEST_KEY or "\x00" in key:
        raise InvalidParam(f"Idempotency-Key is longer than {LONGEST_KEY} characters.")
    digest = hashlib.sha256(json.dumps([path, sorted(pairs)]).encode()).hexdigest()
    with transaction.atomic():
        entry, new = IdempotencyKey.objects.get_or_create(key=key, defaults={"created": clock.now(), "digest": digest})
        if not new:
            if entry.digest != digest:
                raise KeyMisused(
                    "Keys for idempotent requests can only be used with the same endpoint and parameters they were "
                    f"first used with. Try using a key other than '{key}' if you meant to execute a different request."
                )
            assert entry.status
            assert entry.body
            return Answer(entry.status, entry.body, replayed=True)
        try:
            with transaction.atomic():
                answer = act()
        except ApiError as error:
            if not error.remembered:
                raise  # takes the key's row back with it
            answer = Answer(error.status, error.body)
        IdempotencyKey.objects.filter(pk=entry.pk).update(status=answer.status, body=answer.body)
    return answer


def respond(request: HttpRequest, answer: Answer) -> HttpResponse:
    """One plain body: headers and body go out in one write."""
    response = HttpResponse(json.dumps(answer.body), status=answer.status, content_type="application/json")
    response["Request-Id"] = name("req_", 14)
    response["Cache-Control"] = "no-store"
    if key := request.headers.get("Idempotency-Key"):
        response["Idempotency-Key"] = key
    if answer.replayed:
        response["Idempotent-Replayed"] = "true"
    if answer.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="PayLab"'
    return response
