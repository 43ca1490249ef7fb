"""The claim form: the same fields and rules for a browser's form and for JSON."""

import re
from typing import Any

from django import forms
from django.db.models import Field

from orders.claims import Claim
from orders.customers import customer_key
from orders.models import Order
from orders.storefront.countries import COUNTRIES

BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # Unicode's Cc, Zl and Zp
PHONE = re.compile(r"\+?[0-9 ()./-]*")
FEWEST_DIGITS = 5
MISSING = "Please fill this in."
NO_COUNTRY = "Please choose a country."


def longest(field: str) -> int:
    """As long as its column."""
    column = Order._meta.get_field(field)
    assert isinstance(column, Field)
    assert column.max_length is not None
    return column.max_length


class Words(forms.CharField):
    """One line of text: trimmed, its white space evened out, no control characters that could forge a mail's header."""

    default_error_messages = {"required": MISSING}

    def __init__(self, field: str, *, autofill: str, **options: Any) -> None:
        super().__init__(max_length=longest(field), **options)
        self.widget.attrs["autocomplete"] = autofill

    def to_python(self, value: str | None) -> str:
        text = (value or "").strip()
        if BREAKS.search(text):
            raise forms.ValidationError("Please write this on one line, without control characters.")
        return " ".join(text.split())


class ClaimForm(forms.Form):
    """A claim on a pair, whatever the drop."""

    size = forms.DecimalField(
        max_digits=3,
        decimal_places=1,
        error_messages=dict.fromkeys(
            ("required", "invalid", "max_digits", "max_decimal_places", "max_whole_digits"), "Please choose a size."
        ),
    )
    email = forms.EmailField(
        max_length=longest("email"),
        label="E-mail",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"required": MISSING, "invalid": "Please check this address, as in you@example.com."},
    )
    name = Words("name", autofill="name")
    line1 = Words("line1", autofill="address-line1", label="Street and number")
    line2 = Words("line2", autofill="address-line2", label="Flat, floor, company", required=False)
    city = Words("city", autofill="address-level2")
    postcode = Words("postcode", autofill="postal-code")
    country = Words(
        "country",
        autofill="country",
        error_messages=dict.fromkeys(("required", "max_length"), NO_COUNTRY),
    )
    phone = Words("phone", autofill="tel", required=False, widget=forms.TextInput(attrs={"type": "tel"}))

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if len(customer_key(email)) > longest("customer_key"):
            raise forms.ValidationError("This address is too long for us.")
        return email

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if country not in COUNTRIES:
            raise forms.ValidationError(NO_COUNTRY)
        return country

    def clean_phone(self) -> str:
        phone: str = self.cleaned_data["phone"]
        if phone and not (PHONE.fullmatch(phone) and sum(letter.isdigit() for letter in phone) >= FEWEST_DIGITS):
            raise forms.ValidationError("Please check this number, or leave it empty.")
        return phone

    def refuse_size(self) -> None:
        """The drop has none; what is no size at all was refused before."""
        if "size" in self.cleaned_data:
            self.add_error("size", "This drop has no such size.")

    def claim(self) -> Claim:
        """What the customer typed, cleaned; call it on a valid form."""
        return Claim(**self.cleaned_data)

    def focus_first_error(self) -> None:
        """The page comes back with the cursor where something is to be mended."""
        for name, field in self.fields.items():
            if name in self.errors:
                field.widget.attrs["autofocus"] = True
                return

    def messages(self) -> dict[str, list[str]]:
        return {name: [str(message) for message in messages] for name, messages in self.errors.items()}
