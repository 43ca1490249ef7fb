"""Orders as a table for a spreadsheet."""

import csv
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from orders.models import Order

# The public id is its customer's credential and stays out.
COLUMNS = (
    "number",
    "drop__name",
    "pair_number",
    "size",
    "state",
    "outcome",
    "created_at",
    "name",
    "email",
    "line1",
    "line2",
    "city",
    "postcode",
    "country",
    "phone",
    "score",
    "level",
    "payment__state",
    "payment__amount",
    "payment__currency",
    "payment__captured",
    "payment__refunded",
    "payment__intent_ref",
    "shipment__carrier",
    "shipment__tracking_number",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(value: Any) -> str:
    """A spreadsheet runs a cell that begins like a formula; a customer may have written it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(orders: QuerySet[Order]) -> HttpResponse:
    response = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="orders.csv"'}
    )
    table = csv.writer(response)
    table.writerow(column.replace("__", "_") for column in COLUMNS)
    table.writerows([harmless(value) for value in row] for row in orders.values_list(*COLUMNS).iterator())
    return response
