"""The control page: what goes wrong at PayLab from now on, and what time it is there."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orders.payments.paylab import clock, faults
from orders.payments.paylab.endpoint import authenticate
from orders.payments.paylab.errors import Unauthorised
from orders.payments.paylab.models import Fault, FaultKind


class FaultForm(forms.Form):
    """A fault for everybody; one session's own come with its card or its metadata."""

    kind = forms.ChoiceField(choices=FaultKind.choices, label="What goes wrong")
    rate = forms.FloatField(min_value=0, max_value=1, initial=1, label="How often (0 to 1)")
    left = forms.IntegerField(min_value=1, required=False, label="How many times (empty: for ever)")
    delay = forms.FloatField(min_value=0, required=False, label="Delay in seconds (empty: as usual)")
    action = forms.CharField(max_length=60, required=False, label="Only this call or type of event")
    seed = forms.IntegerField(initial=0, label="Seed of the dice")


class ClockForm(forms.Form):
    minutes = forms.FloatField(min_value=0, max_value=60 * 24 * 30, label="Let so many minutes pass")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def control(request: HttpRequest) -> HttpResponse:
    """HTTP basic with the API key as user name. A browser sends that by itself, so the forms carry a CSRF token."""
    try:
        authenticate(request)
    except Unauthorised:
        return HttpResponse("The API key is the user name.", status=401, headers={"WWW-Authenticate": "Basic"})
    act = request.POST.get("act")
    fault_form = FaultForm(request.POST if act == "fault" else None)
    clock_form = ClockForm(request.POST if act == "clock" else None)
    if act == "clear":
        Fault.objects.all().delete()
        clock.reset()
        return redirect("paylab:control")
    if fault_form.is_valid():
        wanted: dict[str, Any] = fault_form.cleaned_data
        delay = wanted.pop("delay")
        faults.add(FaultKind(wanted.pop("kind")), delay=None if delay is None else timedelta(seconds=delay), **wanted)
        return redirect("paylab:control")
    if clock_form.is_valid():
        clock.advance(timedelta(minutes=clock_form.cleaned_data["minutes"]))
        return redirect("paylab:control")
    context = {
        "faults": Fault.objects.filter(session=None).order_by("pk"),
        "fault_form": fault_form,
        "clock_form": clock_form,
        "now": clock.now(),
    }
    return render(request, "paylab/control.html", context, status=422 if act else 200)
