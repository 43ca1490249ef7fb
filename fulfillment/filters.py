"""Which of the open reviews a reviewer looks at. The filters stand in each page's address, so they travel along."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.models import User
from django.db.models import Exists, Q, QuerySet
from django.http import HttpRequest

from fulfillment.reviews import FIRST_APPROVAL, SOON, URGENT, in_review, used_up
from orders import clock
from orders.customers import customer_key
from orders.models import Order
from orders.states import Level

UNSEEN = "unseen"  # the level of an order that is reviewed without its score
LEVELS = [*reversed(Level.choices), (UNSEEN, "Without score")]
LARGEST = 2**31 - 1  # number of a pair; nothing is found beyond it


class Filters(forms.Form):
    """A filter that is not known, or not this person's to use, filters nothing."""

    level = forms.ChoiceField(choices=LEVELS, required=False, widget=forms.HiddenInput)
    size = forms.DecimalField(max_digits=3, decimal_places=1, required=False, widget=forms.Select)
    left = forms.ChoiceField(
        label="Time left",
        choices=[("", "Any"), ("soon", "Less than half"), ("urgent", "Less than a fifth")],
        required=False,
    )
    held = forms.ChoiceField(
        label="Held by", choices=[("", "Anybody"), ("nobody", "Nobody"), ("me", "Me")], required=False
    )
    degraded = forms.BooleanField(label="Stand-in score", required=False)
    second = forms.BooleanField(label="Needs a second approval", required=False)
    q = forms.CharField(label="Order, pair or e-mail", max_length=254, required=False)

    def __init__(self, request: HttpRequest) -> None:
        assert isinstance(request.user, User)
        super().__init__(request.GET)
        self.reviewer = request.user
        if not self.reviewer.has_perm("orders.view_order"):
            del self.fields["q"]
        self.is_valid()
        self.chosen: dict[str, Any] = {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def query(self) -> str:
        """For the address of a page that keeps them; empty where there is none."""
        return self.query_with() if self.chosen else ""

    def query_with(self, **changes: Any) -> str:
        """The same with something else added, changed or, by None, left out."""
        kept = {name: self.data[name] for name in self.chosen} | changes
        return "?" + urlencode({name: value for name, value in kept.items() if value is not None})

    def reviews(self) -> "QuerySet[Order, Any]":
        """Most urgent first."""
        orders, held = in_review(), Q(lock__until__gt=clock.expression())
        for name, value in self.chosen.items():
            match name, value:
                case "level", "unseen":
                    orders = orders.filter(evidence__explored=True)
                case "level", level:
                    orders = orders.filter(level=level).exclude(evidence__explored=True)
                case "size", size:
                    orders = orders.filter(size=size)
                case "left", urgency:
                    orders = orders.filter(used_up({"soon": SOON, "urgent": URGENT}[urgency]))
                case "held", "nobody":
                    orders = orders.exclude(held)
                case "held", "me":
                    orders = orders.filter(held, lock__reviewer=self.reviewer)
                case "degraded", _:
                    orders = orders.filter(score_degraded=True)
                case "second", _:
                    orders = orders.filter(Exists(FIRST_APPROVAL))
                case "q", term:
                    orders = orders.filter(found_by(term))
        return orders


def found_by(term: str) -> Q:
    """By the number of the order or the pair, or by the e-mail, however it is spelt."""
    digits = term.lstrip("#")
    if digits.isdecimal():
        number = min(int(digits), LARGEST)
        return Q(number=number) | Q(pair_number=number)
    return Q(email__icontains=term) | Q(customer_key=customer_key(term))
