"""Room for probes when the shop's threads are stuck: with a frozen database, whoever asks it hangs.

Were these the web server's own threads, /readyz could not say so within its second. So the server gets plenty of
threads (they only wait), and a few of ours work for customers. The strangers that the demo serves beside the shop,
PayLab and ParcelLab, have a few of their own: an answer that they are told to give late must not hold up a customer.
So has staff's export of a list, which is sent while it is read, as fast as its reader takes it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue
from threading import BoundedSemaphore, Event
from typing import Any

Response = tuple[str, list[tuple[str, str]], bytes]

THREADS = 4  # for customers, in each web process; each keeps a database connection
STRANGERS = ("/paylab/", "/parcellab/")
THREADS_FOR_STRANGERS = 8
STUCK_AFTER = 2.0  # seconds without any request being finished, while others wait
PROBES = {"/healthz", "/readyz"}
EXPORT = "/export.csv"  # how the path of a list's export ends
EXPORTS = 2  # at once, in each web process
CHUNKS_AHEAD = 4  # of an export that wait for their reader
GONE_AFTER = 60.0  # seconds in which a reader took nothing
COME_BACK: Response = ("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "5")], b"Busy.\n")


class Bulkhead:
    """Probes pass; everything else goes through a compartment."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.shop = Compartment(application, THREADS)
        self.strangers = Compartment(application, THREADS_FOR_STRANGERS)
        self.exports = Exports(application, EXPORTS)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in PROBES:
            return self.application(environ, start_response)
        if path.endswith(EXPORT):
            status, headers, chunks = self.exports.through(environ)
            start_response(status, headers)
            return chunks
        status, headers, body = (self.strangers if path.startswith(STRANGERS) else self.shop).through(environ)
        start_response(status, headers)
        return [body]


class Compartment:
    """Hands requests to a few threads; turns away, at once and unbegun, those that would only join a stuck queue."""

    def __init__(self, application: Callable[..., Iterable[bytes]], threads: int) -> None:
        self.application = application
        self.most = threads
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="shop")
        self.underway: set[Future[Response]] = set()
        self.progress = time.monotonic()

    def through(self, environ: dict[str, Any]) -> Response:
        if self._stuck():
            return COME_BACK
        if len(self.underway) < self.most:
            self.progress = time.monotonic()  # a thread is free, so this one begins now
        answer = self.threads.submit(self._answer, environ)
        self.underway.add(answer)
        answer.add_done_callback(self._done)
        while True:
            try:
                return answer.result(STUCK_AFTER)
            except TimeoutError:
                if self._stuck() and answer.cancel():  # refused where it has begun: then it is waited for
                    return COME_BACK

    def _stuck(self) -> bool:
        return len(self.underway) >= self.most and time.monotonic() - self.progress > STUCK_AFTER

    def _done(self, answer: "Future[Response]") -> None:
        self.underway.discard(answer)
        if not answer.cancelled():
            self.progress = time.monotonic()

    def _answer(self, environ: dict[str, Any]) -> Response:
        """The whole response, closed by the thread that made it, as its database connection asks."""
        head: list[Any] = []
        response = self.application(environ, lambda status, headers, _=None: head.extend((status, headers)))
        try:
            return head[0], head[1], b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()


class Exports:
    """Runs a few requests at once whose bodies are passed on piece by piece; turns away what comes on top of them."""

    def __init__(self, application: Callable[..., Iterable[bytes]], threads: int) -> None:
        self.application = application
        self.free = BoundedSemaphore(threads)
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="export")

    def through(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        if not self.free.acquire(blocking=False):
            status, headers, busy = COME_BACK
            return status, headers, [busy]
        head: Future[tuple[str, list[tuple[str, str]]]] = Future()
        body = Body()
        self.threads.submit(self._answer, environ, head, body)
        status, headers = head.result()
        return status, headers, body

    def _answer(self, environ: dict[str, Any], head: "Future[Any]", body: "Body") -> None:
        """Made, sent and closed by one thread, as its database connection asks."""
        begun: list[Any] = []
        response: Iterable[bytes] = ()
        try:
            response = self.application(environ, lambda status, headers, _=None: begun.extend((status, headers)))
            head.set_result((begun[0], begun[1]))
            for chunk in response:
                body.put(chunk)
            body.put(None)
        except Abandoned:
            pass
        except Exception as error:  # before the head the server's to answer, after it the body breaks off
            if head.done():
                with suppress(Abandoned):
                    body.put(error)
            else:
                head.set_exception(error)
        finally:
            if hasattr(response, "close"):
                response.close()
            self.free.release()


class Abandoned(Exception):
    """The reader has gone, or takes nothing any more."""


class Body:
    """A response's body on its way from the thread that makes it to the one that sends it."""

    def __init__(self) -> None:
        self.chunks: Queue[bytes | Exception | None] = Queue(CHUNKS_AHEAD)
        self.abandoned = Event()

    def put(self, chunk: "bytes | Exception | None") -> None:
        """Waits for room. Raises Abandoned."""
        deadline = time.monotonic() + GONE_AFTER
        while not self.abandoned.is_set() and time.monotonic() < deadline:
            with suppress(Full):
                return self.chunks.put(chunk, timeout=1)
        raise Abandoned

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (chunk := self.chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """WSGI's: the server calls it however the sending ended."""
        self.abandoned.set()
