"""Who is the same customer: the mailbox behind the many spellings of an e-mail address."""

import contextlib
import unicodedata

DOTLESS = {"gmail.com", "googlemail.com"}  # their mailboxes ignore dots


def customer_key(email: str) -> str:
    """The canonical mailbox: case and plus-tags dropped everywhere, dots for gmail; spellings of one domain folded."""
    local, _, domain = unicodedata.normalize("NFKC", email).strip().casefold().rpartition("@")
    local = local.split("+", 1)[0] or local
    with contextlib.suppress(UnicodeError):  # the form refuses such a domain; a key is still a key
        domain = domain.rstrip(".").encode("idna").decode()
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"
