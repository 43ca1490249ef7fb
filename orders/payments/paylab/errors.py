"""Refusals, with Stripe's status, type, code and words."""

from typing import Any


class ApiError(Exception):
    """What a caller is told. `remembered`: a repeat with the same idempotency key gets the same refusal."""

    status = 400
    type = "invalid_request_error"
    remembered = True

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> None:
        super().__init__(message)
        fields = {"message": message, "type": self.type, "code": code, "param": param, **more}
        self.body = {"error": {name: value for name, value in fields.items() if value is not None}}


class InvalidParam(ApiError):
    """Refused before anything was tried, so the key may be used again with better parameters."""

    remembered = False


class Missing(ApiError):
    status = 404
    remembered = False

    def __init__(self, kind: str, ref: str, *, param: str) -> None:
        super().__init__(f"No such {kind}: '{ref}'", code="resource_missing", param=param)


class Unauthorised(ApiError):
    status = 401
    remembered = False


class UnknownAddress(ApiError):
    status = 404
    remembered = False


class KeyMisused(ApiError):
    type = "idempotency_error"
    remembered = False


class UnexpectedState(ApiError):
    """The thing is not in a state in which this can be done."""


class CaptureRefused(ApiError):
    """By the card's bank."""

    status = 402
    type = "card_error"

    def __init__(self) -> None:
        super().__init__("The card's bank refused.", code="card_declined", decline_code="do_not_honor")


class Broken(ApiError):
    """PayLab itself failed, as it was told to. Stripe remembers these answers too."""

    status = 500
    type = "api_error"

    def __init__(self) -> None:
        super().__init__("Something went wrong on PayLab's end.")
