"""The least: a validated form, one free pair, one update, two inserts; one SELECT; one row as JSON."""

from django import forms
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from orders.storefront.bodies import read_claim
from quantasneaks.urls import handler400, handler404, handler500
from quantasneaks.urls import urlpatterns as shop

__all__ = ["handler400", "handler404", "handler500"]


class LeastForm(forms.Form):
    size = forms.DecimalField()
    email = forms.EmailField()
    name = forms.CharField(max_length=100)
    line1 = forms.CharField(max_length=120)
    city = forms.CharField(max_length=80)
    postcode = forms.CharField(max_length=20)


@csrf_exempt
def claim(request: HttpRequest) -> HttpResponse:
    form = LeastForm(read_claim(request))
    if not form.is_valid():
        return JsonResponse(form.errors, status=422)
    said = form.cleaned_data
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM bench_pair WHERE size = %s AND state = 'on_sale' ORDER BY id LIMIT 1"
            " FOR UPDATE SKIP LOCKED",
            [said["size"]],
        )
        pair = cursor.fetchone()
        if pair is None:
            return JsonResponse({"error": "sold_out"}, status=409)
        cursor.execute("UPDATE bench_pair SET state = 'held' WHERE id = %s", pair)
        cursor.execute(
            "INSERT INTO bench_order (pair, email, name, line1, city, postcode) VALUES (%s, %s, %s, %s, %s, %s)"
            " RETURNING id",
            [*pair, said["email"], said["name"], said["line1"], said["city"], said["postcode"]],
        )
        order = cursor.fetchone()
        cursor.execute("INSERT INTO bench_event (bench_order, what) VALUES (%s, 'claimed')", order)
    return JsonResponse({"order": order[0]}, status=201)


@csrf_exempt
def refuse(request: HttpRequest) -> HttpResponse:
    form = LeastForm(read_claim(request))
    if not form.is_valid():
        return JsonResponse(form.errors, status=422)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM bench_pair WHERE size = %s AND state = 'on_sale')", [form.cleaned_data["size"]]
        )
        cursor.fetchone()
    return JsonResponse({"error": "sold_out"}, status=409)


def status(request: HttpRequest, order_id: str) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, outcome, size, pair_number FROM orders_order WHERE public_id = %s", [order_id])
        state, outcome, size, pair = cursor.fetchone()
    return JsonResponse({"status": state, "outcome": outcome, "size": str(size), "pair": pair})


urlpatterns = [
    path("bench/claim/", claim),
    path("bench/refuse/", refuse),
    path("bench/status/<uuid:order_id>", status),
    *shop,
]
