"""One home, one mailbox, one phone: however they are spelt."""

import pytest

from orders.risk.folding import fold
from orders.risk.keys import WIDER, email_key, ip_key, net_key, phone_key
from orders.risk.mailboxes import is_disposable, likeness, private_domain
from orders.risk.postal import Place, alike, place


def home(line1: str, line2: str = "", postcode: str = "12345", country: str = "US") -> Place:
    return place(line1=line1, line2=line2, postcode=postcode, country=country)


@pytest.mark.parametrize(
    "line1",
    [
        "12 Main St", "12 Main St.", "12 MAIN STREET", "12  Main Str", "12-Main St", "No. 12 Main St",
        "12 Mainn Street",
        "12 Main St Apt 4", "12 Main St. Apt. 3B", "12 Main St #9", "12 Main St, Unit C", "#4 12 Main St",
        "12 Main St Suite 200-A", "12 Main St, Floor 2", "12 Main St 2nd floor", "12A Main St", "0012 Main St",
        "12 M\N{CYRILLIC SMALL LETTER A}in St", "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO} Main St",
        "12 Ma\N{ZERO WIDTH SPACE}in St", "12 Máin St",
    ],
)  # fmt: skip
def test_a_jigged_address_is_the_same_address(line1: str) -> None:
    assert home(line1) == home("12 Main Street")


@pytest.mark.parametrize(
    "line1", ["Hauptstr. 5", "Hauptstrasse 5", "Haupt Str. 5", "HAUPTSTRASSE 5", "Hauptstraße 5, 3. OG"]
)
def test_german_streets_have_one_spelling(line1: str) -> None:
    assert home(line1, country="DE") == home("Hauptstraße 5", country="DE")


def test_an_umlaut_may_be_written_out() -> None:
    assert home("Muellerstr. 5", country="DE") == home("Müllerstraße 5", country="DE")


@pytest.mark.parametrize(
    "other",
    [
        home("123 Main Street"), home("12 Maple Street"), home("12 Main Street", postcode="12346"),
        home("12 Main Street", country="CA"), home("12 5th Avenue"),
    ],
)  # fmt: skip
def test_another_home_is_another_address(other: Place) -> None:
    assert other != home("12 Main Street")


def test_what_was_added_or_mistyped_is_alike_and_another_street_is_not() -> None:
    main = home("12 Washington Street").street
    assert alike(main, home("12 Washingtn St").street)
    assert alike(main, home("XQK 12 Washington St").street)
    assert alike(main, home("12 Washington St ZZTOP").street)
    assert not alike(main, home("12 Maple Street").street)
    assert not alike(home("12 Main St").street, home("12 Mill St").street)


def test_a_firm_in_the_first_line_does_not_hide_the_street() -> None:
    assert home("Acme Inc", "12 Main St").block == home("12 Main St").block


def test_zip_plus_four_is_the_same_place() -> None:
    assert home("12 Main St", postcode="12345-6789") == home("12 Main St")


def test_an_address_in_another_script_has_a_form_of_its_own() -> None:
    assert home("東京都港区1-2-3", country="JP") != home("大阪市北区1-2-3", country="JP")
    assert fold("Ленина") == fold("ЛЕНИНА")


def test_a_phone_has_one_key_however_its_prefix_is_written() -> None:
    keys = {
        phone_key(phone, "DE") for phone in ("+49 170 1234567", "0049 170 1234567", "0170/1234567", "(0170) 123-4567")
    }
    assert len(keys) == 1
    assert phone_key("0170 1234568", "DE") not in keys


@pytest.mark.parametrize("stopgap", ["", "0000000000", "123", "none"])
def test_a_stopgap_for_a_phone_links_nobody(stopgap: str) -> None:
    assert phone_key(stopgap, "US") == ""


def test_mailboxes_of_one_domain_and_its_subdomains_share_the_wider_part_of_their_keys() -> None:
    one, other = email_key("a@parcelmail.co"), email_key("b@x7.parcelmail.co")
    assert one != other
    assert one[:WIDER] == other[:WIDER] != email_key("a@elsewhere.co")[:WIDER]


def test_public_mailboxes_have_no_private_domain() -> None:
    assert private_domain("ada@gmail.com") is None
    assert private_domain("ada@yahoo.co.uk") is None
    assert private_domain("ada@mail.parcelmail.co.uk") == "parcelmail.co.uk"


def test_throw_away_domains_are_known_with_their_subdomains() -> None:
    assert is_disposable("mailinator.com")
    assert is_disposable("inbox.mailinator.com")
    assert not is_disposable("gmail.com")


def test_likeness_to_the_name_is_not_asked_of_other_scripts() -> None:
    assert likeness("ada.lovelace", "Ada Lovelace") == 1
    assert (likeness("x9k2q7", "Ada Lovelace") or 0) < 0.4
    assert likeness("ada", "Ада Иванова") is None
    assert likeness("kenji", "健 佐藤") is None


def test_keys_are_of_the_network_a_person_has() -> None:
    assert ip_key("2001:db8:1:2::1") == ip_key("2001:db8:1:2:ffff::9")
    assert ip_key("2001:db8:1:2::1") != ip_key("2001:db8:1:3::1")
    assert net_key("2001:db8:1:2::1") == net_key("2001:db8:1:ffff::1")
    assert net_key("192.0.2.1") == net_key("192.0.2.254")
    assert ip_key("192.0.2.1") != ip_key("192.0.2.2")


def test_keys_cannot_be_computed_without_the_pepper(settings: pytest.FixtureRequest) -> None:
    before = ip_key("192.0.2.1")
    settings.RISK_PEPPER = b"another"  # type: ignore[attr-defined]
    assert ip_key("192.0.2.1") != before
    assert len(before) == 32
