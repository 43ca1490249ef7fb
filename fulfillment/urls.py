from django.urls import path

from fulfillment import amendment_views, views

app_name = "fulfillment"
urlpatterns = [
    path("", views.desk, name="desk"),
    path("<order_id>/", views.review, name="review"),
    path("<order_id>/links/", amendment_views.links, name="links"),
    path("<order_id>/deadline/", amendment_views.deadline, name="deadline"),
]
