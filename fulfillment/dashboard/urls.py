from django.urls import path

from fulfillment.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("", views.sale, name="sale"),
    path("insiders/", views.insiders, name="insiders"),
    path("drift/", views.drift, name="drift"),
]
