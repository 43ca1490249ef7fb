"""A language model behind the OpenAI protocol: a real HTTP server that answers what the test says."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes, float]  # status, body, seconds until it comes

GOOD: dict[str, Any] = {
    "summary": "Twelve customers share one IP address. A hall of residence would look the same.",
    "evidence": ["ip_sale", "phone_sale"],
    "checks": ["network", "names"],
}


class LanguageModel(ThreadingHTTPServer):
    """Answers requests with `replies`, one after the other, then the last one again; keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = [says(GOOD)]
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class Handler(BaseHTTPRequestHandler):
    server: LanguageModel

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **sent})
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, body, wait = self.server.next_reply()
        time.sleep(wait)
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # nobody waits any more
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the test's screen."""


def says(answer: Any, *, wait: float = 0, **message: Any) -> Reply:
    """A completion whose content is this answer, as JSON unless it is text already."""
    content = answer if isinstance(answer, str | None) else json.dumps(answer)
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "small",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content, "refusal": None} | message,
            }
        ],
    }
    return 200, json.dumps(completion).encode(), wait


def fails(status: int) -> Reply:
    return status, json.dumps({"error": {"message": "no", "type": "none"}}).encode(), 0


@contextmanager
def running() -> Iterator[LanguageModel]:
    server = LanguageModel()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
