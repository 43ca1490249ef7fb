from django.apps import AppConfig


class PayLabConfig(AppConfig):
    """The embedded payment provider: a stranger that happens to live in the same process."""

    name = "orders.payments.paylab"
    label = "paylab"

    def ready(self) -> None:
        from orders.payments.paylab import checks  # noqa: F401  # registers the system check
