"""The nouns: a drop and its pairs, the order, what it waits for, what comes next, what happened."""

from orders.models.callback import Callback
from orders.models.drop import Drop, Pair
from orders.models.event import Event
from orders.models.evidence import Evidence
from orders.models.mail import Mail
from orders.models.order import Order
from orders.models.payment import EventsRead, Payment, Reconciliation, WebhookEvent, WebhookRefusals
from orders.models.shipment import Shipment
from orders.models.signals import ClaimAttempts, ClaimSignals
from orders.models.stored import StoredDecision
from orders.models.sweep import SweepBeat
from orders.models.trained import Role, TrainedModel
from orders.models.work import Work

__all__ = [
    "Callback",
    "ClaimAttempts",
    "ClaimSignals",
    "Drop",
    "Event",
    "EventsRead",
    "Evidence",
    "Mail",
    "Order",
    "Pair",
    "Payment",
    "Reconciliation",
    "Role",
    "Shipment",
    "StoredDecision",
    "SweepBeat",
    "TrainedModel",
    "WebhookEvent",
    "WebhookRefusals",
    "Work",
]
