"""Room for probes when the shop's threads are stuck: with a frozen database, whoever asks it hangs.

Were these the web server's own threads, /readyz could not say so within its second. So the server gets plenty of
threads (they only wait), and a few of ours work for customers. The strangers that the demo serves beside the shop,
PayLab and ParcelLab, have a few of their own: an answer that they are told to give late must not hold up a customer.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Response = tuple[str, list[tuple[str, str]], bytes]

THREADS = 4  # for customers, in each web process; each keeps a database connection
STRANGERS = ("/paylab/", "/parcellab/")
THREADS_FOR_STRANGERS = 8
STUCK_AFTER = 2.0  # seconds without any request being finished, while others wait
PROBES = {"/healthz", "/readyz"}
COME_BACK: Response = ("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "5")], b"Busy.\n")


class Bulkhead:
    """Probes pass; everything else goes through a compartment."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.shop = Compartment(application, THREADS)
        self.strangers = Compartment(application, THREADS_FOR_STRANGERS)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path in PROBES:
            return self.application(environ, start_response)
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
