from django.urls import URLPattern

app_name = "paylab"
urlpatterns: list[URLPattern] = []
