from django.http import HttpRequest, HttpResponse


def receive(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")
