import gc

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """The customer's side and the order itself."""

    name = "orders"

    def ready(self) -> None:
        import quantasneaks.plans  # noqa: F401  # its signal

        gc.freeze()  # what is loaded by now stays: to look through it for garbage held an order up for 70 ms at times
