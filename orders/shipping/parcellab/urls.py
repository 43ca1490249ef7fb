from django.urls import URLPattern

app_name = "parcellab"
urlpatterns: list[URLPattern] = []
