from django.urls import path

from orders.shipping.parcellab import views

app_name = "parcellab"
urlpatterns = [
    path("", views.home, name="home"),
    path("v1/parcels", views.parcels, name="parcels"),
    path("v1/parcels/<int:parcel_id>/cancel", views.cancel, name="cancel"),
]
