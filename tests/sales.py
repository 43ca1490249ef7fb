"""Invented sales for the score: ordinary households of many kinds, and one operator among them.

Everything is drawn from the seed. The ordinary ones are made awkward on purpose: offices and carriers share addresses,
couples share a home, firms share a domain, autofill is fast, names are not all Latin.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orders.claims import Claim
from tests.life import a_claim

FIRST_NAMES = """
Ada Ben Chloé Dmitri Eva Farid Grace Hiro Ines Jonas Kofi Lena Małgorzata Noah Olga Priya Quentin Rosa Søren Tomás Uma
Viktor Wen Xenia Yusuf Zoë Алексей Ирина 美咲 健
"""
LAST_NAMES = """
Anders Baker Çelik Dubois Evans Fischer García Hansen Ito Jones Kowalski López Müller Nguyen O'Brien Patel Quist Rossi
Schmidt Taylor Umarov Vogel Weber Xu Young Zhang Иванов 佐藤
"""
STREETS = """
Maple Street, Oak Avenue, Pine Road, Cedar Lane, Elm Court, Washington Street, Lake View Drive, Hill Road, Park Place,
Church Street, Mill Lane, Station Road, 5th Avenue, North Main Street, Sunset Boulevard, River Road
"""
PUBLIC = ["gmail.com"] * 6 + ["outlook.com", "yahoo.com", "icloud.com", "gmx.de", "proton.me"]
BROWSERS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0",
]


@dataclass(frozen=True)
class Entry:
    """One claim of a sale: when it comes (seconds from its begin), from whom, and what its request shows."""

    at: float
    claim: Claim
    signals: dict[str, Any]
    operator: bool


class Invention:
    """Draws people; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.taken: set[str] = set()

    def ip(self) -> str:
        return ".".join(str(self.random.randint(1, 223)) for _ in range(4))

    def home(self) -> dict[str, str]:
        pick = self.random
        return {
            "line1": f"{pick.randint(1, 400)} {pick.choice(STREETS.split(',')).strip()}",
            "line2": pick.choice(["", "", "", f"Apt {pick.randint(1, 40)}"]),
            "postcode": f"{pick.randint(100, 140)}{pick.randint(0, 9)}{pick.randint(0, 9)}",
        }

    def phone(self) -> str:
        return self.random.choice(["", f"+1 {self.random.randint(2_000_000_000, 9_999_999_999)}"])

    def email(self, name: str, domain: str) -> str:
        """A mailbox that nobody has yet, of the kinds that people choose."""
        pick = self.random
        first, last = (("".join(filter(str.isascii, word)) or "user").lower().replace("'", "") for word in name.split())
        while True:
            local = pick.choice(
                [
                    f"{first}.{last}",
                    f"{first[0]}{last}",
                    f"{first}{pick.randint(1, 2010)}",
                    f"{last}{pick.randint(1, 99)}",
                    f"{pick.choice(['sneaker', 'blue', 'lucky'])}{first}{pick.randint(1, 999)}",
                ]
            )
            email = f"{local}{pick.choice(['', '', pick.randint(10, 99)])}@{domain}"
            if email not in self.taken:
                self.taken.add(email)
                return email

    def person(self, **given: Any) -> dict[str, Any]:
        """A claim's fields and signals in one dictionary; what is given is kept."""
        pick = self.random
        name = f"{pick.choice(FIRST_NAMES.split())} {pick.choice(LAST_NAMES.split())}"
        domain = given.pop("domain", None) or pick.choice(PUBLIC)
        patience = pick.choice([pick.uniform(2.5, 8), pick.uniform(12, 60), pick.uniform(20, 180), None])
        return {
            "name": name,
            "email": self.email(name, domain),
            "phone": self.phone(),
            "ip": self.ip(),
            "wait": patience,
            "agent": pick.choice(BROWSERS),
            **self.home(),
            **given,
        }

    def entry(self, *, at: float, operator: bool, person: dict[str, Any]) -> Entry:
        fields = dict(person)
        ip, wait, agent = fields.pop("ip"), fields.pop("wait"), fields.pop("agent")
        signals = {
            "ip": ip,
            "headers": [["Host", ""], ["User-Agent", agent], ["Accept", "*/*"], ["Accept-Language", "en"]],
            "page_to_submit_ms": None if wait is None else int(wait * 1000),
            "honeypot": False,
        }
        return Entry(at=at, claim=a_claim(**fields), signals=signals, operator=operator)


def ordinary(draw: Invention, *, count: int, seconds: float) -> list[Entry]:
    """Households, offices, a carrier's network, a firm with its own domain."""
    pick = draw.random
    office, firm = draw.ip(), draw.ip()
    carrier = draw.ip().rpartition(".")[0]
    people: list[dict[str, Any]] = []
    people += [draw.person(ip=office) for _ in range(8)]
    people += [draw.person(ip=firm, domain="brightworks.net") for _ in range(4)]
    people += [draw.person(ip=f"{carrier}.{pick.randint(1, 254)}") for _ in range(15)]
    for _ in range(15):  # couples
        home, shared = draw.home(), {"ip": draw.ip(), "phone": draw.phone()}
        people += [draw.person(**home, **shared) for _ in range(2)]
    people += [draw.person(domain=f"{pick.choice(['my', 'the'])}{number}family.org") for number in range(6)]
    people += [draw.person() for _ in range(count - len(people))]
    return [draw.entry(at=pick.uniform(0, seconds), operator=False, person=person) for person in people]


# --- operators: each hides what the others show ---------------------------------------------------


def jigged(pick: random.Random, number: int, street: str) -> str:
    """One address in many spellings."""
    words = pick.choice(
        [f"{street} Street", f"{street} St", f"{street} St.", f"{street.upper()} STREET", f"{street} Str"]
    )
    unit = pick.choice(["", f" Apt {pick.randint(1, 99)}", f" #{pick.randint(1, 99)}", ", Unit C", " Floor 2", " XKQ"])
    return f"{number} {words}{unit}"


def mixed(draw: Invention) -> dict[str, Any]:
    """A handful of IPs in one network, a catch-all domain, one address jigged: two of the three each, mostly quick."""
    pick, person = draw.random, draw.person()
    shown = pick.sample(["network", "mail", "address"], k=pick.choice([2, 2, 3]))
    if "network" in shown:
        person["ip"] = f"45.12.77.{pick.randint(10, 15)}"
    if "mail" in shown:
        person["email"] = draw.email(person["name"], "parcelmail.co")
    if "address" in shown:
        person |= {"line1": jigged(pick, 77, "Harbor"), "line2": "", "postcode": "94107"}
    if pick.random() < 0.7:
        person["wait"] = pick.uniform(2, 6)
    return person


def tags_and_one_address(draw: Invention) -> dict[str, Any]:
    """Another IP each; plus-tags on mailboxes of an own domain; everything to one address."""
    pick, person = draw.random, draw.person()
    local = draw.email(person["name"], "dropbox-mail.net").partition("@")[0]
    return person | {
        "email": f"{local}+{pick.randint(1, 999)}@dropbox-mail.net",
        "line1": jigged(pick, 12, "Main"),
        "line2": "",
        "postcode": pick.choice(["10001", "10001-2345"]),
    }


def rotating_network(draw: Invention) -> dict[str, Any]:
    """Any IP of one network, other addresses, public mail, a little quick."""
    return draw.person(ip=f"45.12.77.{draw.random.randint(1, 254)}", wait=draw.random.uniform(3, 9))


def one_ip(draw: Invention) -> dict[str, Any]:
    return draw.person(ip="45.12.77.8")


def one_ip_v6(draw: Invention) -> dict[str, Any]:
    """Another address of one /64 each."""
    return draw.person(ip=f"2001:db8:7:1::{draw.random.randint(1, 65535):x}")


def one_address(draw: Invention) -> dict[str, Any]:
    return draw.person(line1=jigged(draw.random, 77, "Harbor"), line2="", postcode="94107")


def one_phone(draw: Invention) -> dict[str, Any]:
    return draw.person(phone=draw.random.choice(["+1 415 555 2671", "(415) 555-2671", "0014155552671"]))


def fast_network(draw: Invention) -> dict[str, Any]:
    return draw.person(ip=f"45.12.77.{draw.random.randint(1, 254)}", wait=draw.random.uniform(1.5, 4))


def catch_all(draw: Invention) -> dict[str, Any]:
    return draw.person(domain="parcelmail.co")


OPERATORS: dict[str, Callable[[Invention], dict[str, Any]]] = {
    operator.__name__: operator
    for operator in (
        mixed, tags_and_one_address, rotating_network, fast_network, one_ip, one_ip_v6, one_address, one_phone,
        catch_all,
    )
}  # fmt: skip


def invented_sale(
    seed: int, operator: str, *, customers: int = 200, orders: int = 50, seconds: float = 25 * 60
) -> list[Entry]:
    """A sale in the order of its claims."""
    draw = Invention(seed)
    entries = ordinary(draw, count=customers, seconds=seconds)
    entries += [
        draw.entry(at=draw.random.uniform(0, seconds), operator=True, person=OPERATORS[operator](draw))
        for _ in range(orders)
    ]
    return sorted(entries, key=lambda entry: entry.at)
