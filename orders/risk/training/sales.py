"""Invented sales as raw orders in the contract's form: people as messy as real ones, and operators of five attacks.

A1 naive script; A2 proxies with lent or catch-all mailboxes; A3 one address in many spellings; A4 a farm of people at
real browsers; A5 aged accounts with plausible names. Half of the operators are careful. What they assume stands in
parameters.py.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from orders.risk.training import parameters as p
from orders.risk.training.people import Browser, Person, browser, jig, person, program

Raw = dict[str, Any]
START = datetime(2026, 1, 3, 10, tzinfo=UTC)


class Sale:
    """One sale, drawn from its seed. `orders()` are in the order of their claims."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(f"sale {seed}")  # noqa: S311  # no secret is drawn
        self.begins = START + timedelta(weeks=seed)
        self.minutes = self.dice.uniform(*p.SALE_MINUTES)
        self.lacks = {key for key, share in p.LACKS.items() if self.dice.random() < share}
        self.told = self.dice.sample(PASSED, self.dice.randint(1, 3)) if self.dice.random() < p.FEW_HEADERS else None
        self.proxy = self.ip() if self.dice.random() < p.ONE_ADDRESS_FOR_ALL else None
        self.carriers = [self.ip() for _ in range(self.dice.randint(*p.CARRIER_ADDRESSES))]
        self.exits = [self.ip() for _ in range(self.dice.randint(*p.VPN_ADDRESSES))]  # of VPN services
        self.made: list[Raw] = []

    def orders(self) -> list[Raw]:
        """Each with `label` (1 hostile) and `group`, which the scorer never reads."""
        wanted = self.dice.randint(*p.ORDERS)
        hostile = int(wanted * self.dice.uniform(*p.HOSTILE_SHARE))
        while len(self.made) < hostile:
            self.operator(self.dice.choice(p.ATTACKS))
        while len(self.made) < wanted:
            group = self.dice.choices(list(p.GENUINE_GROUPS), list(p.GENUINE_GROUPS.values()))[0]
            self.people(group)
        self.made.sort(key=lambda raw: str(raw["at"]))
        for number, raw in enumerate(self.made):
            raw["id"] = str(number)
        return self.made

    # --- people ---

    def people(self, group: str) -> None:
        dice = self.dice
        if group == "household":
            self.household()
        elif group == "office":
            self.office()
        elif group == "building":
            self.building()
        elif group == "program":
            self.add(person(dice), group, self.ip(), program(dice), seconds=None)
        else:
            who = person(dice, latin=group != "non-latin")
            shared = {"vpn": dice.choice(self.exits), "carrier": dice.choice(self.carriers)}.get(group)
            ip = self.ip() if shared is None else shared if dice.random() < 0.5 else self.near(shared)
            sight = self.honest(who, abroad=group == "vpn")
            self.add(who, group, ip, sight)
            if group == "returning" and dice.random() < 0.4:  # gave up, and came again
                self.add(who, group, ip, sight)

    def household(self) -> None:
        dice, first, ip = self.dice, person(self.dice), self.ip()
        at, sight, card = self.moment(), self.honest(first), self.token()
        for _ in range(dice.randint(*p.HOUSEHOLD)):
            who = person(dice, at_home=first)
            if dice.random() > p.PEOPLE_SHARING_A_BROWSER:
                sight = self.honest(who)
            paid = card if dice.random() < 0.5 else self.token()
            self.add(who, "household", ip, sight, at=at + timedelta(minutes=dice.uniform(0, 6)), card=paid)

    def office(self) -> None:
        dice, first, ip = self.dice, person(self.dice), self.ip()
        domain = f"{dice.choice(('acme', 'nord', 'blue', 'kraft', 'delta'))}{dice.randrange(10**5)}.example"
        at, works = self.moment(), dice.random() < 0.5
        for _ in range(dice.randint(*p.OFFICE)):
            who = person(dice, domain=domain if works else None)
            if dice.random() < 0.5:  # sent to the office
                who.form |= {name: first.form[name] for name in ("line1", "city", "postcode", "country")}
            self.add(who, "office", ip, self.honest(who), at=at + timedelta(minutes=dice.uniform(0, 20)))

    def building(self) -> None:
        dice, first = self.dice, person(self.dice)
        for _ in range(dice.randint(*p.BUILDING)):
            who = person(dice)
            who.form |= {name: first.form[name] for name in ("line1", "city", "postcode", "country")}
            who.form["line2"] = f"Apt {dice.randint(1, 90)}"
            self.add(who, "building", self.ip(), self.honest(who))

    def honest(self, who: Person, *, abroad: bool = False) -> Browser:
        dice = self.dice
        strange = dice.random() < (0.5 if abroad else p.ABROAD)
        return browser(dice, who.country, slips=1 if dice.random() < p.PRIVACY_TOOLS else 0, abroad=strange)

    # --- resellers ---

    def operator(self, attack: str) -> None:
        dice, careful = self.dice, self.dice.random() < p.CAREFUL
        few = max(1, dice.randint(1, 4))
        homes = [person(dice) for _ in range(dice.randint(*p.ADDRESSES[attack]))]
        phones = [f"+1{dice.randrange(10**9, 10**10)}" for _ in range(few)]
        cards, devices = [self.token() for _ in range(few)], [self.token() for _ in range(few)]
        rotates = (attack != "A1" or careful) and dice.random() < p.ROTATES_ADDRESSES
        nets = [self.ip() for _ in range(1 if attack == "A1" and not careful else dice.randint(2, 40))]
        domain = f"mail{dice.randrange(10**6)}.example" if dice.random() < 0.5 else dice.choice(LENT)
        shares = {
            "phone": dice.random() < p.SHARED_PHONE[attack],
            "card": dice.random() < p.SHARED_CARD[attack],
            "device": dice.random() < p.SHARED_DEVICE[attack],
        }
        at, pause = self.moment(), dice.choice((0.3, 5, 60, 240))
        scripted = attack == "A1" and dice.random() < (0.3 if careful else 0.7)
        plain = program(dice) if scripted else None
        least, most = p.OPERATOR
        for _ in range(int(least * (most / least) ** dice.random())):
            home = dice.choice(homes)
            lent = attack in ("A1", "A2") and dice.random() < (0.4 if careful else 0.9)
            who = person(dice, domain=domain if lent else None, random_mailbox=attack != "A5" and dice.random() < 0.5)
            address = {name: home.form[name] for name in ("line1", "line2", "city", "postcode", "country")}
            who.form |= address
            if attack in ("A2", "A3") or dice.random() < 0.15:
                who.form["line1"], who.form["line2"] = jig(dice, home.form["line1"], hard=careful)
            if shares["phone"]:
                who.form["phone"] = dice.choice(phones)
            slips = dice.random() < p.BROWSER_SLIPS[attack] * (0.5 if careful else 1.3)
            sight = plain or browser(
                dice, home.country, slips=dice.randint(1, 3) if slips else 0, abroad=dice.random() < 0.2
            )
            sight.device = dice.choice(devices) if shares["device"] else self.token()
            at += timedelta(seconds=dice.expovariate(1 / pause))
            paid = dice.choice(cards) if shares["card"] else self.token()
            seconds = self.hurry(attack, careful=careful, scripted=scripted)
            ip = self.ip() if rotates else self.near(dice.choice(nets)) if dice.random() < 0.5 else dice.choice(nets)
            self.add(who, attack, ip, sight, at=at, card=paid, seconds=seconds, label=1)

    def hurry(self, attack: str, *, careful: bool, scripted: bool) -> float | None:
        """Seconds from the page to the claim."""
        dice = self.dice
        if scripted and dice.random() < 0.6:
            return None
        if attack in ("A4", "A5") or careful:
            return dice.lognormvariate(3.0, 0.6)
        return dice.uniform(0.2, 6)

    # --- all ---

    def add(
        self,
        who: Person,
        group: str,
        ip: str,
        sight: Browser,
        *,
        at: datetime | None = None,
        card: str | None = None,
        seconds: float | None = -1,
        label: int = 0,
    ) -> None:
        dice = self.dice
        if seconds == -1:
            seconds = dice.uniform(3, 12) if dice.random() < p.AUTOFILLS else self.typed()
        raw: Raw = {
            "at": (at or self.moment()).isoformat(),
            "ip": self.proxy or ip,
            "headers": [pair for pair in sight.headers if self.told is None or pair[0].lower() in self.told],
            "form": who.form | {"size": str(dice.randint(7, 12))},
            "page_to_submit_ms": None if seconds is None else int(seconds * 1000),
            "device": sight.device or self.token(),
            "ticket_ms": int(600 * dice.lognormvariate(0, 0.5)),
            "card": card or self.token(),
            "client": sight.client,
            "label": label,
            "group": group,
        }
        for key in p.LACKS:
            if key in self.lacks or dice.random() < p.MISSING:
                raw[key] = None
        self.made.append(raw)

    def typed(self) -> float:
        median, spread = p.TYPING_SECONDS
        return median * self.dice.lognormvariate(0, spread)

    def moment(self) -> datetime:
        share = self.dice.random() * (0.1 if self.dice.random() < p.FIRST_RUSH else 1)
        return self.begins + timedelta(minutes=share * self.minutes)

    def ip(self) -> str:
        return ".".join(str(self.dice.randint(1, 254)) for _ in range(4))

    def near(self, ip: str) -> str:
        """Of the same network, mostly another address."""
        return f"{ip.rpartition('.')[0]}.{self.dice.randint(1, 254)}"

    def token(self) -> str:
        return f"{self.dice.getrandbits(64):016x}"


PASSED = ("user-agent", "accept-language", "accept", "accept-encoding")
LENT = ("mailinator.com", "guerrillamail.com", "10minutemail.com", "yopmail.com", "tempmail.dev")


def sales(seeds: range) -> Iterator[list[Raw]]:
    for seed in seeds:
        yield Sale(seed).orders()
