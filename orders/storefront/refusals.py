"""Why the storefront says no before an order is asked: one class for each of the contract's words."""

from collections.abc import Mapping, Sequence

from orders.errors import Refused


class Malformed(Refused):
    code = "malformed"


class CsrfFailed(Refused):
    code = "csrf_failed"


class NotFound(Refused):
    code = "not_found"


class MethodNotAllowed(Refused):
    code = "method_not_allowed"


class TooLarge(Refused):
    code = "too_large"


class UnsupportedMediaType(Refused):
    code = "unsupported_media_type"


class Invalid(Refused):
    """The claim's fields, or some of them, cannot be accepted."""

    code = "invalid"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("Please check the marked fields.")
        self.fields = fields


class SlowDown(Refused):
    """Too many claims from one address; `wait` is in seconds."""

    code = "slow_down"

    def __init__(self, wait: int) -> None:
        super().__init__(f"There were many claims from your network. Please try again in {wait} s.")
        self.wait = wait


class ServerError(Refused):
    code = "error"
