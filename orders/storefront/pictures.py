"""A drop's picture, from the data folder. Its name follows from its content, so it may be kept for good."""

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe


@require_safe
def picture(request: HttpRequest, name: str) -> HttpResponse:
    try:
        with default_storage.open(name) as file:
            pixels = file.read()
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return HttpResponse(pixels, content_type="image/webp", headers=headers)
