from django.apps import AppConfig


class ParcelLabConfig(AppConfig):
    """The embedded carrier: a stranger that happens to live in the same process."""

    name = "orders.shipping.parcellab"
    label = "parcellab"
    verbose_name = "ParcelLab"

    def ready(self) -> None:
        from orders.shipping.parcellab import checks  # noqa: F401  # registers itself
