"""How times and money are written for staff."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders import wording
from orders.models import Payment

register = template.Library()


@register.filter
def moment(at: datetime) -> SafeString:
    """In UTC; the page's script writes it in the reader's zone."""
    utc = at.astimezone(UTC)
    return format_html('<time datetime="{}">{}</time>', f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%d %b %H:%M:%S} UTC")


@register.filter
def duration(delta: timedelta) -> str:
    minutes, seconds = divmod(int(delta.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"


@register.filter
def seconds(count: int) -> str:
    return duration(timedelta(seconds=count))


@register.filter
def money(payment: Payment, field: str = "amount") -> str:
    return wording.money(getattr(payment, field), payment.currency)


@register.filter
def stamp(at: datetime) -> str:
    """For the datetime attribute of <time>."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
