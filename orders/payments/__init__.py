"""Money: the provider that the settings name."""

from orders.payments.provider import PaymentProvider


def payment_provider() -> PaymentProvider:
    """The one adapter; where it speaks to is a setting. Its client is imported when it is first called."""
    from orders.payments.stripe import StripeProvider

    return StripeProvider()
