"""ParcelLab's API, as small as a carrier's can be.

POST /parcellab/v1/parcels              JSON {reference, name, line1, line2, city, postcode, country, phone}, with an
                                        Idempotency-Key: 201 {"id", "reference", "carrier", "tracking_number", "status"}
GET  /parcellab/v1/parcels?reference=R  {"parcels": [the same]}, newest first
POST /parcellab/v1/parcels/<id>/cancel  the parcel, "status": "cancelled"; again: the same

All with `Authorization: Bearer CARRIER_API_KEY`. The same key and body get the same parcel, however often and even at
the same instant; another body gets 409, and so does a second live parcel for a reference. Postcodes that make it
refuse, fail, or lose its answer are in postcodes.py and on the page GET /parcellab/.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orders.shipping.parcellab import postcodes
from orders.shipping.parcellab.forms import ParcelForm
from orders.shipping.parcellab.models import Parcel, Request

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def problem(status: int, detail: str) -> JsonResponse:
    return JsonResponse({"error": detail}, status=status)


def api(view: View[P]) -> View[P]:
    """Callers are programs with a key: no cookie, so no CSRF token."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.CARRIER_API_KEY}"):
            return problem(401, "The API key is missing or wrong.")
        try:
            return view(request, *args, **kwargs)
        except Http404:
            return problem(404, "No such parcel.")

    return csrf_exempt(guarded)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "parcellab/home.html", {"postcodes": postcodes.MEANING})


@api
@require_http_methods(["GET", "POST"])
def parcels(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return take(request)
    found = Parcel.objects.filter(reference=request.GET.get("reference", "")).order_by("-pk")
    return JsonResponse({"parcels": [described(parcel) for parcel in found]})


@api
@require_POST
@transaction.atomic
def cancel(_request: HttpRequest, parcel_id: int) -> HttpResponse:
    parcel = get_object_or_404(Parcel.objects.select_for_update(), pk=parcel_id)
    parcel.status = Parcel.Status.CANCELLED
    parcel.save(update_fields=["status"])
    return JsonResponse(described(parcel))


def take(request: HttpRequest) -> HttpResponse:
    key = request.headers.get("Idempotency-Key", "")
    if not 0 < len(key) <= 255:
        return problem(400, "An Idempotency-Key of 1 to 255 characters is needed.")
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return problem(400, "The body is not a JSON object.")
    form = ParcelForm(body)
    if not form.is_valid():
        return JsonResponse({"error": "The parcel is not complete.", "fields": form.errors}, status=422)
    postcode = form.cleaned_data["postcode"].upper()
    if postcode == postcodes.REFUSE:
        return problem(422, "We do not deliver to this address.")

    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    with transaction.atomic():
        # A twin of this call waits here until this one has committed.
        asked, _ = Request.objects.select_for_update().get_or_create(key=key, defaults={"digest": digest})
        if asked.digest != digest:
            return problem(409, "This Idempotency-Key was used with another body.")
        asked.calls += 1
        down = postcode == postcodes.FAIL or (postcode == postcodes.FLAKY and asked.calls <= postcodes.FAILING_CALLS)
        if asked.parcel is None and not down:
            try:
                with transaction.atomic():
                    asked.parcel = Parcel.objects.create(reference=form.cleaned_data["reference"])
            except IntegrityError:
                return problem(409, "This reference has a live parcel already.")
        asked.save(update_fields=["calls", "parcel"])

    if asked.parcel is None:
        return problem(503, "Out of order, please try again.")
    # The parcel is taken and stays so, whatever becomes of the answer.
    if asked.calls == 1 and postcode == postcodes.SLOW:
        time.sleep(postcodes.TOO_LATE)
    if asked.calls == 1 and postcode == postcodes.LOST:
        return problem(500, "Something went wrong after the work was done.")
    return JsonResponse(described(asked.parcel), status=201)


def described(parcel: Parcel) -> dict[str, str]:
    return {
        "id": str(parcel.pk),
        "reference": parcel.reference,
        "carrier": "ParcelLab",
        "tracking_number": parcel.tracking_number,
        "status": parcel.status,
    }
