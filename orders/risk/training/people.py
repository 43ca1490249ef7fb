"""Invented people, their addresses and their browsers."""

import random
from dataclasses import dataclass, field
from typing import Any

from orders.risk.training import parameters as p

# First names, last names, streets, (city, postcode digits), country, time zone, language.
PLACES: list[tuple[str, str, str, tuple[str, int], str, str, str]] = [
    ("Emma Liam Olivia Noah Ava James Mia Lucas Zoe Ethan", "Smith Johnson Brown Garcia Miller Davis Lee Clark Hall",
     "Main Street|Oak Avenue|Elm Street|Park Road|Maple Drive|Lake Street|Cedar Lane", ("Springfield", 5), "US",
     "America/New_York", "en-US"),
    ("Anna Ben Clara Jonas Mia Paul Lena Felix", "Müller Schmidt Weber Fischer Wagner Becker Hoffmann",
     "Hauptstraße|Bahnhofstraße|Gartenweg|Lindenallee|Schulstraße", ("Neustadt", 5), "DE", "Europe/Berlin", "de-DE"),
    ("Jean Marie Louis Chloé Hugo Camille Léa", "Martin Bernard Dubois Moreau Laurent Simon",
     "rue de la Paix|avenue Foch|rue Victor Hugo|boulevard Voltaire", ("Villeneuve", 5), "FR", "Europe/Paris", "fr-FR"),
    ("Oliver Amelia George Isla Harry Freya", "Taylor Evans Wilson Thomas Roberts Walker",
     "High Street|Church Road|Station Road|Mill Lane", ("Newport", 4), "GB", "Europe/London", "en-GB"),
]  # fmt: skip
ELSEWHERE: list[tuple[str, str, str, tuple[str, int], str, str, str]] = [
    ("Анна Иван Мария Дмитрий Ольга", "Иванова Петров Смирнова Кузнецов", "улица Ленина|Садовая улица|проспект Мира",
     ("Тверь", 6), "RU", "Europe/Moscow", "ru-RU"),
    ("伟 芳 娜 敏 静", "王 李 张 刘 陈", "人民路|中山路|解放路", ("广州", 6), "CN", "Asia/Shanghai", "zh-CN"),
    ("陽菜 蓮 結衣 大翔", "佐藤 鈴木 高橋 田中", "中央|本町|桜町", ("横浜", 7), "JP", "Asia/Tokyo", "ja-JP"),
    ("محمد فاطمة علي سارة", "حسن أحمد خليل", "شارع النيل|شارع الجامعة", ("القاهرة", 5), "EG", "Africa/Cairo", "ar-EG"),
]  # fmt: skip
PROVIDERS = ("gmail.com", "gmail.com", "outlook.com", "yahoo.com", "icloud.com", "gmx.de", "hotmail.com", "proton.me")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ASCII = str.maketrans("äöüßéèçáóñ", "aouseecaon")


@dataclass
class Person:
    form: dict[str, str]
    country: str


@dataclass
class Browser:
    headers: list[list[str]]
    client: dict[str, Any] | None
    device: str = field(default="")


def person(
    dice: random.Random,
    *,
    latin: bool = True,
    domain: str | None = None,
    at_home: Person | None = None,
    random_mailbox: bool = False,
) -> Person:
    firsts, lasts, streets, (city, digits), country, _, _ = dice.choice(PLACES if latin else ELSEWHERE)
    first, last = dice.choice(firsts.split()), dice.choice(lasts.split())
    if at_home:
        last, country = at_home.form["name"].split()[-1], at_home.country
    number = dice.randint(1, 400)
    street = dice.choice(streets.split("|"))
    form = {
        "name": f"{first} {last}",
        "email": f"{mailbox(dice, first, last, random_mailbox=random_mailbox)}@{domain or at(dice, last)}",
        "line1": f"{number} {street}" if country in ("US", "GB", "FR") else f"{street} {number}",
        "line2": dice.choice(("", "", "", f"Apt {dice.randint(1, 40)}")),
        "city": city,
        "postcode": "".join(str(dice.randint(0, 9)) for _ in range(digits)),
        "country": country,
        "phone": f"+{dice.randrange(10**10, 10**11)}" if dice.random() < p.GIVES_A_PHONE else "",
    }
    if at_home:
        form |= {name: at_home.form[name] for name in ("line1", "line2", "city", "postcode", "country")}
        if dice.random() < 0.3:
            form["phone"] = at_home.form["phone"]
    return Person(form, country)


def at(dice: random.Random, last: str) -> str:
    own = last.lower().translate(ASCII)
    if dice.random() < p.OWN_DOMAIN and own.isascii():
        return f"{own}{dice.randrange(1000)}.example"
    return dice.choice(PROVIDERS)


def mailbox(dice: random.Random, first: str, last: str, *, random_mailbox: bool) -> str:
    one, two = first.lower().translate(ASCII), last.lower().translate(ASCII)
    year = str(dice.choice((dice.randint(60, 99), dice.randint(1960, 2008), dice.randint(1, 9999))))
    if random_mailbox and dice.random() < 0.6:
        return "".join(dice.choice(LETTERS + "0123456789") for _ in range(dice.randint(8, 14)))
    if not (one + two).isascii() or dice.random() < p.PICKS_A_RANDOM_NICK:
        syllables = ("sun", "kai", "mo", "zen", "lux", "pi", "star", "ru", "nek", "to", "fly", "sky", "ada", "vo")
        return "".join(dice.choice(syllables) for _ in range(dice.randint(2, 4))) + dice.choice(("", year))
    shapes = (f"{one}.{two}", f"{one}{two}", f"{one[0]}{two}", f"{one}_{two}", f"{two}.{one}", f"{one}")
    return dice.choice(shapes) + (year if dice.random() < 0.7 else "")


def jig(dice: random.Random, line1: str, *, hard: bool) -> tuple[str, str]:
    """Another spelling of the same house."""
    noise = "".join(dice.choice(LETTERS) for _ in range(3))
    line1 = dice.choice((line1, line1.upper(), line1.lower(), line1.replace("Street", "St"), f"{noise} {line1}"))
    if hard and len(line1) > 8:
        spot = dice.randrange(3, len(line1))
        line1 = line1[:spot] + dice.choice((line1[spot] * 2, "", line1[spot])) + line1[spot + 1 :]
    return line1, dice.choice(("", f"Apt {dice.randint(1, 999)}", f"#{dice.randint(1, 99)}", f"Unit {noise.upper()}"))


def program(dice: random.Random) -> Browser:
    """A shop's app or somebody's script: no page, so no report of one."""
    agent = dice.choice(("python-requests/2.32.3", "python-httpx/0.28.1", "okhttp/4.12.0", "axios/1.7.9"))
    headers = [["User-Agent", agent], ["Accept-Encoding", "gzip, deflate"], ["Accept", "*/*"]]
    return Browser(headers, None)


SYSTEMS = {  # user agent's system, client hint, navigator.platform, mobile
    "windows": ("Windows NT 10.0; Win64; x64", "Windows", "Win32", False),
    "mac": ("Macintosh; Intel Mac OS X 10_15_7", "macOS", "MacIntel", False),
    "android": ("Linux; Android 10; K", "Android", "Linux armv81", True),
    "linux": ("X11; Linux x86_64", "Linux", "Linux x86_64", False),
}


def browser(dice: random.Random, country: str, *, slips: int, abroad: bool) -> Browser:
    """What a browser of that country sends and reports; `slips` of it do not fit."""
    row = next((row for row in PLACES + ELSEWHERE if row[4] == country), PLACES[0])
    zone, language = row[5], row[6]
    if abroad:
        zone = dice.choice([row[5] for row in PLACES + ELSEWHERE if row[4] != country])
    kind = dice.choices(("chrome", "safari", "firefox"), (0.6, 0.28, 0.12))[0]
    name = dice.choice(("windows", "windows", "mac", "android", "linux")) if kind != "safari" else "iphone"
    system, hint, platform, mobile = SYSTEMS.get(name, ("iPhone; CPU iPhone OS 18_1 like Mac OS X", "", "iPhone", True))
    version = dice.randint(120, 131)
    agents = {
        "chrome": f"Mozilla/5.0 ({system}) AppleWebKit/537.36 Chrome/{version}.0.0.0{' Mobile' * mobile} Safari/537.36",
        "safari": f"Mozilla/5.0 ({system}) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
        "firefox": f"Mozilla/5.0 ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0",
    }
    sent = {
        "sec-ch-ua": f'"Chromium";v="{version}", "Google Chrome";v="{version}", "Not?A_Brand";v="99"',
        "sec-ch-ua-mobile": "?1" if mobile else "?0",
        "sec-ch-ua-platform": f'"{hint}"',
        "user-agent": agents[kind],
        "accept": "text/html,application/xhtml+xml",
        "sec-fetch-site": "same-origin",
        "sec-fetch-mode": "navigate",
        "accept-encoding": "gzip, deflate, br",
        "accept-language": f"{language},{language[:2]};q=0.9",
    }
    if kind != "chrome":
        sent = {key: value for key, value in sent.items() if not key.startswith("sec-ch-")}
    client: dict[str, Any] = {
        "timezone": zone, "languages": [language, language[:2]], "platform": platform,
        "touch": mobile or dice.random() < 0.15, "webdriver": False,
        "screen": dice.choice(([1920, 1080], [1440, 900], [2560, 1440], [390, 844], [412, 915])),
    }  # fmt: skip
    for _ in range(slips):
        slip(dice, sent, client)
    if slips and dice.random() < 0.3:
        return Browser([[key, value] for key, value in sent.items()], None)
    return Browser([[key, value] for key, value in sent.items()], client)


def slip(dice: random.Random, sent: dict[str, str], client: dict[str, Any]) -> None:
    """One thing that does not fit: a forger's oversight, or a privacy tool's doing."""
    which = dice.randrange(7)
    if which == 0:
        for key in [key for key in sent if key.startswith(("sec-ch-", "sec-fetch-"))]:
            del sent[key]
    elif which == 1 and "sec-ch-ua-platform" in sent:
        sent["sec-ch-ua-platform"] = dice.choice(('"Linux"', '"Windows"'))
    elif which == 2:
        client["platform"] = dice.choice(("Linux x86_64", "Win32"))
    elif which == 3:
        sent["accept-language"] = dice.choice(("en-US,en;q=0.9", "zh-CN"))
    elif which == 4:
        client["webdriver"] = True
    elif which == 5:
        client["screen"] = dice.choice(([800, 600], [0, 0]))
    else:
        client["touch"] = False
