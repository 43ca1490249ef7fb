from django import forms


class ParcelForm(forms.Form):
    """A parcel as the shop describes it."""

    reference = forms.CharField(max_length=80)
    name = forms.CharField(max_length=100)
    line1 = forms.CharField(max_length=120)
    line2 = forms.CharField(max_length=120, required=False)
    city = forms.CharField(max_length=80)
    postcode = forms.CharField(max_length=20)
    country = forms.RegexField("^[A-Z]{2}$")
    phone = forms.CharField(max_length=30, required=False)
