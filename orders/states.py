"""The words an order's life is told in: states, outcomes, waits, steps and undos."""

from django.db.models import TextChoices


class State(TextChoices):
    PROCESSING = "processing"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SHIPPED = "shipped"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"


FINAL = (State.SHIPPED, State.COMPENSATED)
UNDOABLE = (State.PROCESSING, State.AWAITING_PAYMENT, State.AWAITING_APPROVAL, State.APPROVED)
CANCELLABLE = (State.PROCESSING, State.AWAITING_PAYMENT, State.AWAITING_APPROVAL)


class Outcome(TextChoices):
    """Why a compensated order ended; a live or shipped one has none."""

    PAYMENT_TIMEOUT = "payment_timeout"
    APPROVAL_TIMEOUT = "approval_timeout"
    REJECTED = "rejected"
    PAYMENT_FAILED = "payment_failed"
    CANCELLED = "cancelled"
    ERROR = "error"
    NOT_DRAWN = "not_drawn"


class Wait(TextChoices):
    """What an order waits for: a callback from outside, with a deadline."""

    PAYMENT = "payment"
    APPROVAL = "approval"


class Resolution(TextChoices):
    """How a callback ended. Whichever commits first counts; the others come too late."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"


class Step(TextChoices):
    """What a work row asks a worker to do; also the name of its Celery task."""

    SCORE_RISK = "score_risk"
    OPEN_PAYMENT = "open_payment"
    CHECK_PAYMENT = "check_payment"
    EXPIRE_REVIEW = "expire_review"
    CAPTURE_PAYMENT = "capture_payment"
    SHIP = "ship"
    COMPENSATE = "compensate"
    SEND_PLACED = "send_placed"
    SEND_AUTHORISED = "send_authorised"
    SEND_CONFIRMATION = "send_confirmation"
    SEND_APOLOGY = "send_apology"
    SEND_LATE_MONEY = "send_late_money"
    SEND_LINK = "send_link"
    EXPLAIN_SCORE = "explain_score"


MAILS = (
    Step.SEND_PLACED,
    Step.SEND_AUTHORISED,
    Step.SEND_CONFIRMATION,
    Step.SEND_APOLOGY,
    Step.SEND_LATE_MONEY,
    Step.SEND_LINK,
)
ANALYSES = (Step.EXPLAIN_SCORE,)
ASIDE = (*MAILS, *ANALYSES)  # what runs beside the order's life
LIFE = tuple(step for step in Step if step not in ASIDE)  # what moves an order; one at a time for each
FIRST = (Step.SCORE_RISK, Step.SEND_PLACED)  # what a claim brings forth
QUEUES = (LIFE, MAILS, ANALYSES)  # a slow one holds up no other


class Undo(TextChoices):
    """The compensations, in the order in which their steps begin. They run last first."""

    RELEASE_PAIR = "release_pair"
    RETURN_MONEY = "return_money"
    CANCEL_SHIPMENT = "cancel_shipment"


class Actor(TextChoices):
    """Who caused an event."""

    CUSTOMER = "customer"
    PROVIDER = "provider"
    REVIEWER = "reviewer"
    BEAT = "beat"
    WORKER = "worker"


class Level(TextChoices):
    """How much a score worries: low < 65 <= medium < 75 <= high."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class PairState(TextChoices):
    ON_SALE = "on_sale"
    HELD = "held"
    SOLD = "sold"
