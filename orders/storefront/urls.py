"""The customer's addresses. An order's id is any text here, slashes included: a malformed one is answered like an
unknown one, by its own view.
"""

from django.urls import path, re_path

from orders.storefront import pictures, views

app_name = "orders"
urlpatterns = [
    path("", views.landing, name="landing"),
    re_path(r"^pictures/(?P<name>\w+\.webp)$", pictures.picture, name="picture"),  # MEDIA_URL
    path("orders/", views.claim, name="claim"),
    path("orders/<path:order_id>/status", views.status, name="status_json"),
    path("orders/<path:order_id>/cancel", views.cancel, name="cancel"),
    path("orders/<path:order_id>/", views.status_page, name="status"),
]
