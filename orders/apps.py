from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """The customer's side and the order itself."""

    name = "orders"
