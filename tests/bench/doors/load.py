"""Requests over kept connections, as fast as they are answered, with as little work of our own as possible."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Answers:
    """What came back: statuses, and the seconds that each took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __iadd__(self, more: "Answers") -> "Answers":
        self.statuses += more.statuses
        self.took += more.took
        self.seconds += more.seconds
        return self

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\nAccept: application/json\r\nUser-Agent: bench\r\nAccept-Language: en\r\n\r\n".encode() + body


def get(path: str, etag: str = "") -> bytes:
    condition = f"If-None-Match: {etag}\r\n" if etag else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n{condition}\r\n".encode()


def send(base: str, requests: Sequence[bytes], connections: int) -> Answers:
    """All of them, in their order, over so many connections."""
    return asyncio.run(_send(base, requests, connections))


async def _send(base: str, requests: Sequence[bytes], connections: int) -> Answers:
    answers, following = Answers(), iter(requests)
    address = urlsplit(base)

    async def lane() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for request in following:
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            if found := LENGTH.search(head):
                await reader.readexactly(int(found[1]))
            answers.took.append(time.perf_counter() - begun)
            answers.statuses[status] += 1
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(connections)))
    answers.seconds = time.perf_counter() - begun
    return answers
