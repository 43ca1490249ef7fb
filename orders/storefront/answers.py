"""How the storefront answers: as a page, or as JSON where that was asked for."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from orders.errors import Refused
from orders.storefront.bodies import JSON
from orders.storefront.refusals import MethodNotAllowed, SlowDown

STATUS_OF = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "csrf_failed": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "slow_down": HTTPStatus.TOO_MANY_REQUESTS,
    "error": HTTPStatus.INTERNAL_SERVER_ERROR,
}  # every other refusal is a conflict with how things stand

TITLES = {
    "malformed": "We could not read that",
    "csrf_failed": "Please send the form again",
    "not_found": "There is nothing here",
    "method_not_allowed": "Not this way",
    "too_large": "That is too much at once",
    "unsupported_media_type": "We could not read that",
    "slow_down": "One moment, please",
    "idempotency_conflict": "This form was used already",
    "too_late": "Too late to cancel",
    "error": "Something broke on our side",
}


def wants_json(request: HttpRequest) -> bool:
    """JSON in is JSON out; else it must be asked for by name: a browser's */* means a page."""
    return request.content_type == JSON or request.get_preferred_type(["text/html", JSON]) == JSON


def status_of(refusal: Refused) -> int:
    return STATUS_OF.get(refusal.code, HTTPStatus.CONFLICT)


def problem(request: HttpRequest, refusal: Refused, *, as_json: bool = False) -> HttpResponse:
    """Say no: the code for programs, the text for people, and when to come back."""
    code, detail, status = refusal.code, str(refusal), status_of(refusal)
    response: HttpResponse
    if as_json or wants_json(request):
        response = JsonResponse(
            {"error": code, "detail": detail, "fields": getattr(refusal, "fields", {})}, status=status
        )
    else:
        words = {"title": TITLES.get(code, "That did not work"), "detail": detail}
        response = render(request, "storefront/problem.html", words, status=status)
    if isinstance(refusal, SlowDown):
        response.headers["Retry-After"] = str(refusal.wait)
    return response


def not_allowed(request: HttpRequest, *methods: str) -> HttpResponse:
    response = problem(request, MethodNotAllowed(f"This address only takes {' and '.join(methods)}."))
    response.headers["Allow"] = ", ".join(methods)
    return response
