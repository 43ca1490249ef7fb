"""The shop as its customers and reviewers see it: over HTTP, and not always there."""

import asyncio
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT = 15.0  # seconds a request may take
PATIENCE = 60.0  # seconds that one request is tried again before its sender gives up
PAUSE = 0.2  # seconds between two tries, doubled up to LONGEST_PAUSE
LONGEST_PAUSE = 3.0


class Trouble(Exception):
    """The sale cannot go on. The text names no order."""


class Shop:
    """Sends each request until it is answered: who loses an answer sends the same again, with the same key."""

    def __init__(self, base: str, *, connections: int, cookies: bool = False) -> None:
        # Customers share this client and must not share a cookie.
        jar = None if cookies else CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self.client = httpx.AsyncClient(
            base_url=base,
            cookies=jar,
            timeout=TIMEOUT,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )
        self.gate = asyncio.Semaphore(connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, whatever it says, unless it says to come back. Raises Trouble when there is none to be had."""
        give_up, pause = time.monotonic() + PATIENCE, PAUSE
        while True:
            try:
                async with self.gate:
                    answer = await self.client.request(method, path, **request)
                if answer.status_code == 429:
                    wait = float(answer.headers.get("Retry-After", LONGEST_PAUSE))
                    give_up += wait  # being asked to wait is no failure
                    await asyncio.sleep(wait)
                    continue
                if answer.status_code < 500:
                    return answer
                failure = f"it answers {answer.status_code}"
            except httpx.TransportError as error:
                failure = type(error).__name__
            if time.monotonic() > give_up:
                raise Trouble(f"The shop stopped answering ({failure}).")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def refusal(answer: httpx.Response) -> str:
    """The contract's word for why not."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"http_{answer.status_code}"
