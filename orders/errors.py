"""What can go wrong with an order, and what the caller must know of it."""


class Refused(Exception):
    """A request that cannot be granted. `code` is the contract's word, the text is for the person who asked."""

    code = "refused"


class SaleNotOpen(Refused):
    code = "sale_not_open"


class SaleClosed(Refused):
    code = "sale_closed"


class AlreadyClaimed(Refused):
    code = "already_claimed"


class SoldOut(Refused):
    code = "sold_out"


class IdempotencyConflict(Refused):
    code = "idempotency_conflict"


class TooLate(Refused):
    """The callback was resolved by its deadline, or the order went on before."""

    code = "too_late"


class AlreadyDecided(Refused):
    code = "already_decided"


class NotInReview(Refused):
    code = "not_in_review"


class InvalidDeadline(Refused):
    """A deadline that would be no extension, or lie beyond the time for which the provider holds the money."""

    code = "invalid"


class StepFailed(Exception):
    """A step that did not work. The text goes to the journal and to staff, so it holds no private data."""


class Transient(StepFailed):
    """May work later: try again with backoff."""


class Permanent(StepFailed):
    """Will never work: undo the order."""


class Unknown(Transient):
    """The answer was lost: it may have worked. Ask what happened before anything else."""


class KeySpent(Unknown):
    """The answer is no help, and the same idempotency key would get it again: the next try needs a new key."""
