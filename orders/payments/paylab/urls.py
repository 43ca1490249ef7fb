"""PayLab's addresses: the API as Stripe names it, and the page that customers see."""

from django.urls import URLPattern, path

from orders.payments.paylab import api, page
from orders.payments.paylab.control import control
from orders.payments.paylab.endpoint import endpoint

ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")

app_name = "paylab"
urlpatterns: list[URLPattern] = [
    path("", control, name="control"),
    path("pay/<slug:ref>", page.pay, name="pay"),
    path("v1/checkout/sessions", endpoint({"GET": api.list_sessions, "POST": api.create_session})),
    path("v1/checkout/sessions/<slug:ref>", endpoint({"GET": api.get_session})),
    path("v1/checkout/sessions/<slug:ref>/expire", endpoint({"POST": api.expire_session})),
    path("v1/payment_intents", endpoint({"GET": api.list_intents})),
    path("v1/payment_intents/<slug:ref>", endpoint({"GET": api.get_intent})),
    path("v1/payment_intents/<slug:ref>/capture", endpoint({"POST": api.capture_intent})),
    path("v1/payment_intents/<slug:ref>/cancel", endpoint({"POST": api.cancel_intent})),
    path("v1/charges/<slug:ref>", endpoint({"GET": api.get_charge})),
    path("v1/refunds", endpoint({"GET": api.list_refunds, "POST": api.create_refund})),
    path("v1/refunds/<slug:ref>", endpoint({"GET": api.get_refund})),
    path("v1/events", endpoint({"GET": api.list_events})),
    path("v1/events/<slug:ref>", endpoint({"GET": api.get_event})),
    path("v1/<path:path>", endpoint(dict.fromkeys(ANY, api.unknown))),
]
