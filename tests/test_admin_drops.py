"""A merchant makes the next drop in the admin, picture included, and breaks none that somebody has ordered from."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from fulfillment.admin import drops
from fulfillment.groups import MERCHANT, SHIPPING
from orders import clock
from orders.models import Drop
from tests.life import at_once, kinds, open_drop, place
from tests.reviews import a_user, browser

pytestmark = pytest.mark.django_db
ADD = "/admin/orders/drop/add/"


@pytest.fixture(autouse=True)
def kept_in(settings: Any, tmp_path: Any) -> Any:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def merchant() -> Client:
    return browser(a_user("mona", group=MERCHANT))


def words(**changes: Any) -> dict[str, Any]:
    form: dict[str, Any] = {"name": "Winter", "price": 29900, "currency": "USD", "sizes": "8: 3, 9.5=2"}
    for name, day in (("opens_at", "2036-12-01"), ("closes_at", "2036-12-03")):
        form |= {f"{name}_0": day, f"{name}_1": "18:00"}
    return form | changes


def uploaded(form: str = "PNG", *, size: tuple[int, int] = (500, 300), **saved: Any) -> SimpleUploadedFile:
    drawn = BytesIO()
    Image.new("RGB", size, "red").save(drawn, form, **saved)
    return SimpleUploadedFile("shoe.png", drawn.getvalue(), "image/png")


def mistakes(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.context["adminform"].form.errors.as_json())


def change(client: Client, drop: Drop, **changes: Any) -> Any:
    form = words(**{"name": drop.name, "price": drop.price} | changes)
    for name in ("opens_at", "closes_at"):
        at = getattr(drop, name)
        form |= {f"{name}_0": f"{at:%Y-%m-%d}", f"{name}_1": f"{at:%H:%M:%S}"}
    return client.post(f"/admin/orders/drop/{drop.pk}/change/", form)


def test_it_makes_the_drop_and_its_numbered_pairs(merchant):
    assert merchant.get(ADD).status_code == 200
    assert merchant.post(ADD, words()).status_code == 302
    drop = Drop.objects.get()
    assert (drop.name, drop.price, drop.currency, f"{drop.opens_at:%H:%M}") == ("Winter", 29900, "usd", "18:00")
    assert sorted(drop.pairs.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert drop.pairs.filter(size=Decimal("9.5")).count() == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": "9 pairs of 8"}, "does not say how many"),
        ({"sizes": "9.3: 5"}, "whole or half"),
        ({"sizes": "9: 5, 9.0: 6"}, "Size 9 is named twice"),
        ({"sizes": ","}, "at least one size"),
        ({"sizes": "NaN: 5"}, "does not say how many"),
        ({"price": 0}, "above zero"),
        ({"currency": "€"}, "three letters"),
        ({"closes_at_0": "2036-11-01"}, "closes after it opens"),
        ({"picture": uploaded()}, "Say what the picture shows"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_made(merchant, changes, said):
    assert said in mistakes(merchant.post(ADD, words(**changes)))
    assert not Drop.objects.exists()


def test_only_a_merchant_makes_one():
    shipper = browser(a_user("sam", group=SHIPPING))
    assert shipper.get(ADD).status_code == shipper.post(ADD, words()).status_code == 403
    assert shipper.get(f"/admin/orders/drop/{open_drop().pk}/change/").status_code == 200


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_storefront_shows_the_picture_as_we_drew_it(merchant, form, kept_in):
    camera = Image.Exif()
    camera[0x010E] = "taken at home"
    merchant.post(ADD, words(picture=uploaded(form, exif=camera), picture_alt="A <red> shoe"))
    name = Drop.objects.get().picture.name
    page = Client().get("/").text
    assert f'src="/pictures/{name}"' in page
    assert 'alt="A &lt;red&gt; shoe"' in page
    answer = Client().get(f"/pictures/{name}")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/webp", "nosniff")
    assert "immutable" in answer["Cache-Control"]
    assert b"taken at home" not in answer.content
    with Image.open(BytesIO(answer.content)) as drawn:
        assert (drawn.format, drawn.size) == ("WEBP", (1600, 960))
    assert [file.name for file in kept_in.iterdir()] == [name]


def test_without_a_picture_our_drawing_is_shown(merchant):
    merchant.post(ADD, words())
    assert "sneaker" in Client().get("/").text
    assert "/pictures/" not in Client().get("/").text


SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (SimpleUploadedFile("shoe.png", SCRIPT, "image/png"), "no JPEG, PNG or WebP"),
        (SimpleUploadedFile("shoe.png", uploaded().read()[:200], "image/png"), "damaged"),
        (uploaded("GIF"), "no JPEG, PNG or WebP"),
        (uploaded(size=(6000, 4001)), "more than 24 million pixels"),
        (SimpleUploadedFile("shoe.png", b"x" * (8 * 1024 * 1024 + 1), "image/png"), "too large"),
    ],
    ids=["script", "damaged", "other kind", "many pixels", "many bytes"],
)
def test_what_is_no_proper_picture_is_refused(merchant, upload, said, kept_in):
    upload.seek(0)
    answer = merchant.post(ADD, words(picture=upload, picture_alt="A shoe"))
    assert said in mistakes(answer)
    assert not Drop.objects.exists()
    assert not list(kept_in.iterdir())


@pytest.mark.parametrize("name", ["0.webp", "../db.sqlite3", "..%2f..%2fetc%2fpasswd", "a/b.webp"])
def test_nothing_else_is_served(name):
    assert Client().get(f"/pictures/{name}").status_code == 404


def test_a_picture_is_replaced_and_taken_away(merchant):
    merchant.post(ADD, words(picture=uploaded(), picture_alt="A shoe"))
    first = Drop.objects.get()
    change(merchant, first, picture=uploaded(size=(300, 300)), picture_alt="Another")
    second = Drop.objects.get()
    assert second.picture.name != first.picture.name
    change(merchant, second, **{"picture-clear": "on", "picture_alt": ""})
    assert Drop.objects.get().picture == ""


# --- what stands ------------------------------------------------------------------------------------------------------


def test_sizes_change_until_the_drop_opens(merchant):
    merchant.post(ADD, words())
    drop = Drop.objects.get()
    numbers = list(drop.pairs.order_by("pk").values_list("pk", flat=True))
    change(merchant, drop, sizes="8: 3, 9.5: 2")
    assert list(drop.pairs.order_by("pk").values_list("pk", flat=True)) == numbers
    change(merchant, drop, sizes="10: 7")
    assert sorted(drop.pairs.values_list("number", "size")) == [(n, Decimal(10)) for n in range(1, 8)]
    drop.opens_at = clock.now() - timedelta(minutes=1)
    assert change(merchant, drop, sizes="11: 2").status_code == 302
    assert drop.pairs.count() == 2


@pytest.mark.parametrize("put_off", [False, True])
def test_pairs_stand_once_they_are_on_sale(merchant, put_off):
    drop = open_drop({"9": 3})
    if put_off:
        place(drop)
        Drop.objects.update(opens_at=clock.now() + timedelta(hours=1))
    before = list(drop.pairs.order_by("pk").values_list("pk", "size"))
    page = merchant.get(f"/admin/orders/drop/{drop.pk}/change/").text
    assert "9: 3" in page
    assert 'name="sizes"' not in page
    assert change(merchant, drop, sizes="10: 7").status_code == 302
    assert list(drop.pairs.order_by("pk").values_list("pk", "size")) == before


def test_a_correction_that_comes_too_late_is_said_to_be(merchant):
    drop = open_drop({"9": 3})
    place(drop)

    def said(**changes: Any) -> list[str]:
        change(merchant, drop, **{"currency": "usd", "sizes": "9: 3"} | changes)
        page = merchant.get("/admin/orders/drop/")
        return [str(message) for message in page.context["messages"] if message.level_tag == "error"]

    assert said() == []
    assert said(price=100, sizes="9: 5") == [
        "Too late to change the price: still 29900.",
        "Too late to change the sizes: still 9: 3.",
    ]
    assert (Drop.objects.get().price, drop.pairs.count()) == (29900, 3)


@pytest.mark.django_db(transaction=True)
def test_a_sale_goes_on_while_its_picture_is_drawn(merchant, monkeypatch):
    drop = open_drop()
    place(drop)
    with ThreadPoolExecutor(1) as claims:

        def draw(upload: Any) -> Any:
            assert kinds(claims.submit(at_once, [lambda: place(drop)]).result(5)) == {"Order": 1}
            return upload

        monkeypatch.setattr(drops, "redraw", draw)
        assert change(merchant, drop, picture=uploaded(), picture_alt="A red shoe.").status_code == 302
    assert Drop.objects.get().picture_alt == "A red shoe."
