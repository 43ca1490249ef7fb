"""Probes get through when every thread that works for customers is stuck."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from quantasneaks.bulkhead import CHUNKS_AHEAD, EXPORTS, THREADS, Bulkhead

Answer = tuple[str, bytes]


class Shop:
    """A WSGI application behind the bulkhead; it answers /stuck only when it is told to go on."""

    def __init__(self) -> None:
        self.go_on = Event()
        self.all_stuck = Barrier(THREADS + 1)
        self.begun: list[str] = []
        self.behind = Bulkhead(self.application)
        self.server = ThreadPoolExecutor(3 * THREADS)  # stands in for granian's threads

    def application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.begun.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/stuck":
            self.all_stuck.wait(30)
            self.go_on.wait(30)
        start_response("200 OK", [])
        return [b"done"]

    def get(self, path: str) -> Answer:
        head: list[str] = []
        body = self.behind({"PATH_INFO": path}, lambda status, headers: head.append(status))
        return head[0], b"".join(body)

    def send(self, path: str) -> "Future[Answer]":
        return self.server.submit(self.get, path)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.go_on.set()
    shop.server.shutdown()


def test_a_request_passes_through(shop: Shop) -> None:
    assert shop.get("/orders/") == ("200 OK", b"done")


def test_probes_are_answered_while_the_shop_is_stuck_and_others_are_turned_away_unbegun(shop: Shop) -> None:
    stuck = [shop.send("/stuck") for _ in range(THREADS)]
    shop.all_stuck.wait(30)
    waiting = shop.send("/waits")
    assert shop.get("/readyz") == ("200 OK", b"done")
    assert waiting.result(30)[0] == "503 Service Unavailable"
    assert shop.get("/comes-later")[0] == "503 Service Unavailable"
    shop.go_on.set()
    assert [answer.result(30) for answer in stuck] == [("200 OK", b"done")] * THREADS
    assert shop.get("/afterwards") == ("200 OK", b"done")
    assert "/waits" not in shop.begun
    assert "/comes-later" not in shop.begun


def test_a_mistake_of_the_application_is_the_servers_to_answer(shop: Shop) -> None:
    def mistaken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise RuntimeError("ours")

    shop.behind.shop.application = mistaken
    with pytest.raises(RuntimeError, match="ours"):
        shop.get("/orders/")


def test_late_answers_of_the_embedded_provider_hold_up_no_customer(shop: Shop) -> None:
    stuck = [shop.send("/stuck") for _ in range(THREADS)]
    shop.all_stuck.wait(30)
    assert shop.get("/paylab/v1/events") == ("200 OK", b"done")
    shop.go_on.set()
    assert [answer.result(30)[0] for answer in stuck] == ["200 OK"] * THREADS


# --- exports ----------------------------------------------------------------------------------------------------------


class Export:
    """A long response, and how far it was read and whether it was closed."""

    def __init__(self, chunks: int, breaks: bool = False) -> None:
        self.chunks, self.breaks, self.made, self.closed = chunks, breaks, 0, Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> "Export":
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.chunks):
            self.made += 1
            yield b"row"
        if self.breaks:
            raise RuntimeError("ours")

    def close(self) -> None:
        self.closed.set()


def begin(behind: Bulkhead) -> tuple[list[str], Iterable[bytes]]:
    head: list[str] = []
    return head, behind({"PATH_INFO": "/admin/orders/order/export.csv"}, lambda status, headers: head.append(status))


def test_an_export_is_made_no_faster_than_it_is_read() -> None:
    made = Export(1000)
    head, body = begin(Bulkhead(made))
    rows = iter(body)
    assert (head, next(rows)) == (["200 OK"], b"row")
    assert made.made <= CHUNKS_AHEAD + 3
    assert len(list(rows)) == 999
    assert made.closed.wait(5)


def test_exports_beyond_a_few_are_turned_away_until_a_reader_goes() -> None:
    made = Export(1000)
    behind = Bulkhead(made)
    bodies = [begin(behind)[1] for _ in range(EXPORTS)]
    assert begin(behind)[0] == ["503 Service Unavailable"]
    for body in bodies:
        body.close()  # type: ignore[attr-defined]
    assert made.closed.wait(10)
    assert behind.exports.free.acquire(timeout=10)


def test_an_export_that_breaks_does_not_look_complete() -> None:
    _, body = begin(Bulkhead(Export(2, breaks=True)))
    with pytest.raises(RuntimeError, match="ours"):
        list(body)
