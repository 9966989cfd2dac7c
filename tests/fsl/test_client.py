"""The client of the HTTP API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fsl.client import Client, Refused

RUNNING = {"spec": {"ended_at": None, "status": "running", "seq": 1}}


class Full(ThreadingHTTPServer):
    """A server that lets no request wait: it answers at once and says when to ask again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Full)
        self.server.asked.append(self.path)
        if self.path == "/flow/busy":
            self._respond(503, {"message": "try again", "error": {"code": "busy"}}, is_full=True)
        else:
            self._respond(200, [] if "/watch" in self.path else RUNNING, is_full="wait=" in self.path)

    def _respond(self, status: int, answer: object, *, is_full: bool) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        if is_full:
            self.send_header("Retry-After", "60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        pass


@pytest.fixture
def full() -> Iterator[Full]:
    with Full() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_client_that_is_not_let_wait_asks_again_later(full: Full) -> None:
    """Otherwise it would ask a server again and again that is busy already."""
    client = Client(f"http://127.0.0.1:{full.server_port}")
    assert list(client.watch("r1", seconds=0.2)) == []
    assert client.ended("r1", seconds=0.2) == RUNNING
    assert len([path for path in full.asked if "wait=" in path]) == 2


def test_an_error_that_says_when_to_ask_again_is_an_error_of_the_server(full: Full) -> None:
    with pytest.raises(Refused, match=r"^try again$") as refused:
        Client(f"http://127.0.0.1:{full.server_port}").get("flow", "busy")
    assert (refused.value.status, refused.value.error_code) == (503, "busy")
    assert full.asked == ["/flow/busy"]
