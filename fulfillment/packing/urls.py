from django.urls import path

from fulfillment.packing import views

app_name = "packing"
urlpatterns = [
    path("", views.index, name="index"),
    path("slips/", views.order_slips, name="order_slips"),
    path("<int:drop_id>/list/", views.packing_list, name="list"),
    path("<int:drop_id>/pick/", views.pick_list, name="pick"),
    path("<int:drop_id>/slips/", views.drop_slips, name="slips"),
]
