from django.urls import path

from fulfillment import amendment_views, desk, views

app_name = "fulfillment"
urlpatterns = [
    path("", desk.desk, name="desk"),
    path("live/", desk.live, name="live"),
    path("next/", desk.start, name="start"),
    path("bulk/", desk.bulk, name="bulk"),
    path("<order_id>/", views.review, name="review"),
    path("<order_id>/links/", amendment_views.links, name="links"),
    path("<order_id>/deadline/", amendment_views.deadline, name="deadline"),
]
