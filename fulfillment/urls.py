from django.urls import path

from fulfillment import views

app_name = "fulfillment"
urlpatterns = [
    path("", views.desk, name="desk"),
    path("<order_id>/", views.review, name="review"),
]
