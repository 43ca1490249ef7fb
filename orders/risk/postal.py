"""One spelling for a postal address, so that jigged ones ("12 Main St. Apt 4", "12 MAIN STREET #9") are seen as one."""

import re
from dataclasses import dataclass

from orders.risk.folding import fold

STREET_WORDS = """
st str strasse straat street ave av avenue rd road dr drive ln lane blvd boulevard ct court pl place sq square ter
terrace way hwy highway pkwy parkway cir circle rue via calle weg nr no number num
"""
UNIT_WORDS = """
apt apartment appartement app unit suite ste flat fl floor room rm lot bldg building door bsmt basement penthouse ph
whg wohnung etage og app apartamento piso depto dept int interior
"""
STREETS = frozenset(map(fold, STREET_WORDS.split()))
UNITS = "|".join(map(fold, UNIT_WORDS.split()))
STREET_ENDINGS = re.compile(r"(?<=\w{3})(?:strase|strat|str)$")
# The word, then what it names: "apt 4b", "# 12", "unit c", "suite 200-a"; a floor is named the other way round.
UNIT = re.compile(rf"(?:#|\b(?:{UNITS})\b)\W*(?:\d+\w?\b|\w\b)?(?:-\w+)?")
FLOOR = re.compile(r"\b\d+(?:st|nd|rd|th|\.)?\s*(?:flor|fl|og|etage|piso)\b")
WORD = re.compile(r"\d+|[^\W\d_]+")
ZIP = 5  # digits of a US postcode that name the place; ZIP+4 names the side of a street


@dataclass(frozen=True)
class Place:
    """`block` is the house number in its postcode; `street` tells its streets apart."""

    block: str
    street: str


def place(*, line1: str, line2: str, postcode: str, country: str) -> Place:
    """The canonical form of an address. Digits stay; the unit and most of the second line go.

    Neighbours in one building become one place, which is why a few orders to one place mean nothing.
    """
    first = fold(line1)
    if not any(character.isdigit() for character in first):
        first = f"{first} {fold(line2)}"  # a firm or a house's name comes first
    words = WORD.findall(UNIT.sub(" ", FLOOR.sub(" ", first))) or WORD.findall(first)
    numbers = [word.lstrip("0") for word in words if word.isdigit()]
    names = [STREET_ENDINGS.sub("", word) for word in words if not word.isdigit() and len(word) > 1]
    names = [name for name in names if name not in STREETS] or names
    area = "".join(WORD.findall(fold(postcode)))
    country = country.upper()
    if country == "US":
        area = area[:ZIP]
    return Place(
        block=f"{country}|{area}|{numbers[0] if numbers else ''}",
        street=f"{''.join(names)}|{' '.join(numbers[1:])}",
    )


def alike(one: str, other: str) -> bool:
    """Whether two streets of one block are the same but for a slip or added noise: half of the shorter's letter trios.

    Only within one postcode and house number: "12 Main St" is close to "123 Main Street" in every other measure.
    """
    ours, theirs = trios(one), trios(other)
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def trios(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(max(1, len(text) - 2))}
