"""The picture of a drop. Whatever a merchant uploads, only pixels that we drew anew are kept and served."""

import hashlib
from io import BytesIO

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile

LARGEST_UPLOAD = 8 * 1024 * 1024  # bytes
MOST_PIXELS = 24_000_000  # a small file may unfold to gigabytes
WIDTH, HEIGHT = 1600, 960  # as the landing page shows it, twice as fine
FORMATS = ["JPEG", "PNG", "WEBP"]


def redraw(upload: UploadedFile) -> ContentFile:
    """As WebP of one size, without what cameras write beside the picture, named by its content.

    Raises ValidationError. The content tells what it is; name and declared type are not asked.
    """
    from PIL import Image, ImageOps  # 10 MB that only a merchant's upload needs

    if (upload.size or 0) > LARGEST_UPLOAD:
        raise ValidationError(f"The file is too large; {LARGEST_UPLOAD // 1024 // 1024} MB are the most.")
    try:
        with Image.open(upload, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValidationError(f"The picture has more than {MOST_PIXELS // 1_000_000} million pixels.")
            turned = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow raises on nonsense
        raise ValidationError("This file is no JPEG, PNG or WebP picture, or it is damaged.") from error
    drawn = BytesIO()
    ImageOps.pad(turned, (WIDTH, HEIGHT), color=(0, 0, 0, 0)).save(drawn, "WEBP", quality=82)
    return ContentFile(drawn.getvalue(), name=f"{hashlib.sha256(drawn.getvalue()).hexdigest()[:32]}.webp")
