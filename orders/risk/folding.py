"""One spelling for text that can be written in many: what a person reads as the same word is the same word here."""

import re
import unicodedata

# Letters that look like Latin ones (Unicode TR39, the common Cyrillic and Greek part). True Cyrillic or Greek text is
# folded just as consistently, so it still equals itself.
LOOKALIKES = str.maketrans(
    "авекмнорстухіјѕһԁԛԝ" + "αβεηικμνορτυχ",
    "abekmhopctyxijshdqw" + "abenikmvoptyx",
)
# Letters without a decomposition in Unicode.
PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "a", "œ": "o", "\u0131": "i", "þ": "th"})
UMLAUT = re.compile(r"([aou])e")  # Mueller and Müller
DOUBLED = re.compile(r"([^\W\d_])\1+")  # Mainn and Main; digits stay as they are


def fold(text: str) -> str:
    """Case, width, accents, lookalikes, umlauts written out, doubled letters and invisible characters folded."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFKD", text.translate(LOOKALIKES).translate(PLAIN))
    text = "".join(character for character in text if unicodedata.category(character) not in {"Mn", "Cf", "Cc"})
    return DOUBLED.sub(r"\1", UMLAUT.sub(r"\1", text))


def plain(text: str, longest: int) -> str:
    """As much of a text as PostgreSQL's JSON takes: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "").encode(errors="replace").decode()[:longest]
