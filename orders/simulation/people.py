"""Who comes to a simulated sale, and what each is going to do.

What they do follows from the seed alone. Who they are also follows from the run, so that two runs do not meet.
"""

# ruff: noqa: SIM905  # lists of words are read as words

import math
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

CARD_THAT_PAYS = "4242424242424242"
CARD_THAT_IS_DECLINED = "4000000000000002"

FIRST_NAMES = (
    "Ada Alan Amara Anna Barbara Carlos Chidi Clara Daniel Edith Elif Emil Fatima Finn Grace Hana Hugo Ines Ivan Jack "
    "Joan Kenji Lena Liam Lucia Malik Maria Mei Nadia Noah Olga Omar Paul Priya Rosa Samuel Sofia Tariq Vera Yusuf"
).split()
LAST_NAMES = (
    "Adams Bauer Bianchi Brown Chen Costa Dubois Evans Fischer Garcia Haddad Hansen Ito Jansen Johnson Kaya Khan Kim "
    "Kowalski Larsen Lee Lopez Meyer Moreau Murphy Nguyen Novak Okafor Patel Popov Rossi Sato Silva Singh Smith Tanaka "
    "Walker Weber Wilson Young"
).split()
STREETS = "Oak Street,Mill Lane,High Street,Park Avenue,Station Road,Garden Row,Church Hill,River Walk".split(",")
PLACES = (("Portland", "97", "US"), ("Austin", "78", "US"), ("Berlin", "10", "DE"), ("Lyon", "69", "FR"))
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1",
)
HOSTS = 254  # usable addresses in a /24


@dataclass(frozen=True)
class Plan:
    """What was asked of the simulation. Rates are shares of the customers, times are seconds."""

    customers: int
    sizes: Mapping[str, int]  # pairs on sale at the start
    seed: int
    time_to_pay: float
    decline_rate: float = 0.0
    reject_rate: float = 0.0
    abandon_rate: float = 0.0
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def arrivals(self) -> float:
        """Over how long the customers come; where some abandon, the last ones come when their pairs are back."""
        return self.time_to_pay + 10 if self.abandon_rate else 0.0

    @property
    def limit(self) -> float:
        """How long the whole sale may take, on a slow machine and with trouble on the way."""
        return self.arrivals + (self.time_to_pay if self.abandon_rate else 0.0) + 300 + self.customers


@dataclass(frozen=True)
class Person:
    index: int
    address: str  # IPv4
    browser: str
    form: Mapping[str, str]  # the claim without its size
    sizes: tuple[str, ...]  # in the order in which they would do
    arrives: float  # seconds after the opening
    cards: tuple[str, ...]  # tried one after the other; none: abandons
    rejected: bool

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Forwarded-For": self.address, "User-Agent": self.browser, "Accept-Language": "en-US,en;q=0.8"}


def cast(plan: Plan) -> list[Person]:
    """Everybody who comes to this sale."""
    habits = random.Random(plan.seed)  # noqa: S311  # nothing here is a secret
    identity = random.Random(f"{plan.seed} {plan.run}")  # noqa: S311
    addresses = identity.sample(range(256 * 256 * HOSTS), plan.customers)
    return [person(plan, index, addresses[index], habits, identity) for index in range(plan.customers)]


def person(plan: Plan, index: int, address: int, habits: random.Random, identity: random.Random) -> Person:
    net, host = divmod(address, HOSTS)
    # A weighted shuffle: a size with more pairs is more people's first choice.
    sizes = sorted(plan.sizes, key=lambda size: habits.random() ** (1 / plan.sizes[size]), reverse=True)
    # Every number is drawn for everybody, so that one rate does not change who the others fall on.
    arrival, abandon, decline, reject = (habits.random() for _ in range(4))
    cards = (CARD_THAT_IS_DECLINED, CARD_THAT_PAYS) if decline < plan.decline_rate else (CARD_THAT_PAYS,)
    return Person(
        index=index,
        address=f"10.{net >> 8}.{net & 255}.{host + 1}",
        browser=identity.choice(BROWSERS),
        form=form(plan, index, identity),
        sizes=tuple(sizes),
        # Many at the opening and many at the end, however long the time between: the early pairs are back for the late.
        arrives=math.sin(arrival * math.pi / 2) ** 2 * plan.arrivals,
        cards=() if abandon < plan.abandon_rate else cards,
        rejected=reject < plan.reject_rate,
    )


def form(plan: Plan, index: int, identity: random.Random) -> dict[str, str]:
    first, last = identity.choice(FIRST_NAMES), identity.choice(LAST_NAMES)
    city, area, country = identity.choice(PLACES)
    return {
        # A domain reserved for examples: a shop with a real mail server writes to nobody.
        "email": f"{first}.{last}.{plan.run}.{index}@example.com".lower(),
        "name": f"{first} {last}",
        "line1": f"{identity.randint(1, 999)} {identity.choice(STREETS)}",
        "line2": f"Flat {index + 1}",
        "city": city,
        "postcode": f"{area}{identity.randint(0, 999):03d}",
        "country": country,
    }
