"""PayLab moves no real money, so it does not start where real money is expected."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register()
def paylab_only_in_the_demo(app_configs: Any, **kwargs: Any) -> list[Error]:
    problems = []
    if settings.PAYMENT_PROVIDER != "paylab":
        problems.append(
            Error(
                f"PayLab is installed, but PAYMENT_PROVIDER is {settings.PAYMENT_PROVIDER}.",
                hint="Take orders.payments.paylab out of INSTALLED_APPS.",
                id="paylab.E001",
            )
        )
    if not settings.DEMO:
        problems.append(
            Error(
                "PayLab is installed, but QS_MODE is production.",
                hint="Set PAYMENT_PROVIDER=stripe and the provider's keys.",
                id="paylab.E002",
            )
        )
    return problems
