"""Every address of the shop, one door each."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from orders.payments.webhooks import receive
from quantasneaks import health

urlpatterns = [
    path("", include("orders.storefront.urls")),
    path("webhooks/stripe/", receive, name="webhook"),
    path("admin/review/", include("fulfillment.urls")),
    path("admin/dashboard/", include("fulfillment.dashboard.urls")),
    path("admin/packing/", include("fulfillment.packing.urls")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
if apps.is_installed("orders.payments.paylab"):
    urlpatterns.append(path("paylab/", include("orders.payments.paylab.urls")))
if apps.is_installed("orders.shipping.parcellab"):
    urlpatterns.append(path("parcellab/", include("orders.shipping.parcellab.urls")))

handler400 = "orders.storefront.views.bad_request"
handler404 = "orders.storefront.views.not_found"
handler500 = "orders.storefront.views.server_error"
