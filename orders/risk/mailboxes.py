"""What an e-mail address tells: whose domain it is, and whether a person chose the part before the @."""

import math
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache

from disposable_email_domains import blocklist

from orders.risk.folding import fold

# Anybody may have a mailbox there, so many customers of one of them mean nothing. The example domains are
# reserved (RFC 2606): the demo's customers live there.
PROVIDERS = """
gmail.com googlemail.com yahoo.com ymail.com rocketmail.com hotmail.com outlook.com live.com msn.com aol.com
icloud.com me.com mac.com proton.me protonmail.com pm.me gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de
freenet.de mail.com mail.de posteo.de mailbox.org zoho.com fastmail.com hey.com tutanota.com tuta.io yandex.ru
yandex.com ya.ru mail.ru bk.ru inbox.ru list.ru rambler.ru qq.com 163.com 126.com sina.com foxmail.com naver.com
daum.net hanmail.net yahoo.co.uk yahoo.co.jp yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ca yahoo.com.br
yahoo.co.in yahoo.com.au hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es outlook.de outlook.fr
live.co.uk live.nl live.fr orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it tiscali.it
alice.it tin.it terra.com.br uol.com.br bol.com.br btinternet.com sky.com virginmedia.com talktalk.net
comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com
bigpond.com optusnet.com.au telus.net ziggo.nl kpnmail.nl planet.nl home.nl bluewin.ch sunrise.ch telenet.be
skynet.be seznam.cz centrum.cz wp.pl onet.pl o2.pl interia.pl rediffmail.com docomo.ne.jp ezweb.ne.jp
softbank.ne.jp softbank.jp example.com example.org example.net
"""
PUBLIC = frozenset(PROVIDERS.split())


@lru_cache(1000)
def registrable(domain: str) -> str:
    """The part that somebody had to register: subdomains of one catch-all are one domain."""
    labels = domain.split(".")
    second_level = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3  # co.uk, com.au
    return ".".join(labels[-3 if second_level else -2 :])


def private_domain(mailbox: str) -> str | None:
    """The domain of a mailbox that not everybody can have there; None at a public provider."""
    domain = registrable(mailbox.rpartition("@")[2])
    return None if domain in PUBLIC else domain


def is_disposable(domain: str) -> bool:
    """The domain or a parent of it lends mailboxes for minutes."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in blocklist for start in range(len(labels) - 1))


def digit_share(local: str) -> float:
    return sum(character.isdigit() for character in local) / max(1, len(local))


def entropy(local: str) -> float:
    """Bits per character; names stay below 3.3, random strings rise with their length."""
    counts = Counter(local).values()
    return -sum(count / len(local) * math.log2(count / len(local)) for count in counts) if local else 0.0


def likeness(local: str, name: str) -> float | None:
    """0 to 1: how much of the name is in the local part; None for a name in another script, which cannot be."""
    words = ["".join(filter(str.isalpha, word)) for word in fold(name).split()]
    words = [word for word in words if len(word) > 1 and word.isascii()]
    if not words:
        return None
    local = "".join(filter(str.isalpha, fold(local)))
    if any(len(word) > 2 and word in local for word in words):  # "Al" is in many a word
        return 1.0
    return SequenceMatcher(None, local, "".join(words), autojunk=False).ratio()
