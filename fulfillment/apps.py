from django.apps import AppConfig


class FulfillmentConfig(AppConfig):
    """The reviewer's side."""

    name = "fulfillment"
