"""What the storefront's script reports of the browser, and where a request contradicts itself.

A browser tells the same thing in several places; who forges one of them forgets another. Each rule by itself has
honest exceptions (a traveller, a privacy extension), so they are counted and none decides.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from orders.risk.folding import plain

LONGEST = 60  # characters of a word of the report
MOST_LANGUAGES = 10
REAL = re.compile(r"(?:Chrome|Chromium|CriOS|Edg|OPR)/(\d+)")
BRAND = re.compile(r'"(?:Chromium|Google Chrome)";\s*v="(\d+)"')
# The same system as the user agent, the client hint and navigator.platform name it.
SYSTEMS = {
    "Android": (("android",), ("android",), ("linux", "android")),
    "iPhone": (("iphone", "ipad"), ("ios",), ("iphone", "ipad")),
    "Windows": (("windows",), ("windows",), ("win",)),
    "Mac": (("macintosh",), ("macos", "mac os x"), ("mac", "iphone", "ipad")),  # an iPad asks for desktop pages
    "Linux": (("linux", "x11"), ("linux", "chrome os", "chromium os"), ("linux",)),
}


def client_report(sent: Any) -> dict[str, Any] | None:
    """The report with its known words only, each of its type and bounded; None for none."""
    if not isinstance(sent, dict):
        return None
    report: dict[str, Any] = {}
    for name in ("timezone", "platform"):
        if isinstance(value := sent.get(name), str):
            report[name] = plain(value, LONGEST)
    if isinstance(languages := sent.get("languages"), list):
        words = [plain(word, LONGEST) for word in languages if isinstance(word, str)]
        report["languages"] = words[:MOST_LANGUAGES]
    for name in ("touch", "webdriver"):
        if isinstance(value := sent.get(name), bool):
            report[name] = value
    screen = sent.get("screen")
    if isinstance(screen, list) and len(screen) == 2 and all(isinstance(side, int) for side in screen):
        report["screen"] = [max(0, min(side, 100_000)) for side in screen]
    return report or None


def contradictions(headers: Mapping[str, str], client: Mapping[str, Any] | None) -> list[str]:
    """The rules that this request breaks, by name. `headers` by their lower-case names."""
    client = client or {}
    agent, hint = headers.get("user-agent", ""), headers.get("sec-ch-ua-platform", "").strip('"').lower()
    system, brands = system_of(agent), headers.get("sec-ch-ua", "")
    _, hints, platforms = SYSTEMS[system] if system else ((), (), ())
    version, brand = REAL.search(agent), BRAND.search(brands)
    mobile = "Mobile" in agent or system == "iPhone"
    platform = str(client.get("platform", "")).lower()
    first = headers.get("accept-language", "")[:2].lower()
    languages = client.get("languages") or []
    rules = {
        "client hint of another system": bool(system and hint) and hint not in hints,
        "platform of another system": bool(system and platform) and not platform.startswith(platforms),
        "hints of another version": bool(version and brand) and version[1] != brand[1],  # type: ignore[index]
        "chromium without its hints": bool(version) and "CriOS" not in agent and not brands,
        "hints without chromium": bool(brands) and not version,
        "mobile by half": headers.get("sec-ch-ua-mobile", "?1" if mobile else "?0") != ("?1" if mobile else "?0"),
        "phone without touch": mobile and client.get("touch") is False,
        "browser without fetch metadata": agent.startswith("Mozilla/")
        and not any(name.startswith("sec-fetch-") for name in headers),
        "another language": bool(first and languages) and first != languages[0][:2].lower(),
        "driven by a program": client.get("webdriver") is True or "Headless" in agent,
        "no screen": client.get("screen") in ([0, 0], [800, 600]),
    }
    return [name for name, broken in rules.items() if broken]


def system_of(agent: str) -> str | None:
    agent = agent.lower()
    return next((name for name, (words, _, _) in SYSTEMS.items() if any(word in agent for word in words)), None)


@cache
def countries_of_zones() -> dict[str, str]:
    """Country by time zone, from the table that the IANA ships with its time zones."""
    lines = (files("tzdata.zoneinfo") / "zone.tab").read_text().splitlines()
    return {line.split("\t")[2]: line.split("\t")[0] for line in lines if line and not line.startswith("#")}


def foreign_clock(client: Mapping[str, Any] | None, country: str) -> float | None:
    """1 where the browser's clock runs in another country than the parcel goes to; None where either is unknown."""
    zone = countries_of_zones().get((client or {}).get("timezone", ""))
    return float(zone != country.upper()) if zone and country else None
