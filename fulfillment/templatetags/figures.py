"""How shares are written for staff."""

from django import template

register = template.Library()


@register.filter
def percent(share: float) -> str:
    return f"{share:.0%}"
