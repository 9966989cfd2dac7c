"""An HTTP server that plays action services: each `serve` adds one with an address of its own."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final, TypeAlias

import requests

BACK_OFF: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
"""Pauses between attempts of a callback, in seconds. There is no attempt after the last one."""


@dataclass(frozen=True)
class Delivery:
    """A POST request that was received."""

    fields: dict[str, Any]
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def uuid(self) -> str:
        return str(self.fields["uuid"])

    def answer(self, state: str, **more: Any) -> dict[str, Any]:
        """Return the answer that the original echoer's services send to `/step`, with `more` fields."""
        named = {name: self.fields[name] for name in ("flowId", "stepName", "uuid")}
        return {**named, "ackState": state, "done": True, **more}


@dataclass(frozen=True)
class Reply:
    """The response of a service to a POST. The default is that of the original echoer's services."""

    status: int = 200
    body: bytes = b'""'
    headers: Mapping[str, str] = field(default_factory=dict)


TAKEN: Final = Reply()
Act: TypeAlias = Callable[[Delivery], Reply]
"""Handles a POST request."""

Choose: TypeAlias = Callable[[Delivery], str]


def says(state: str, **more: Any) -> Act:
    """Return a handler that answers in the HTTP response."""
    body = json.dumps({"ackState": state, **more}).encode()
    return lambda _: Reply(body=body)


def in_turn(*acts: Act) -> Act:
    """Return a handler that uses the first of `acts` for the first POST and so on, and the last one for all others."""
    counter, lock = itertools.count(), threading.Lock()

    def act(delivery: Delivery) -> Reply:
        with lock:
            number = next(counter)
        return acts[min(number, len(acts) - 1)](delivery)

    return act


def takes(_: Delivery) -> Reply:
    """Accept the POST and never answer."""
    return TAKEN


class Service:
    """A service: its address, and the deliveries that it received."""

    def __init__(self, url: str, act: Act) -> None:
        self.url = url
        self.act = act
        self._arrived: list[Delivery] = []
        self._news = threading.Condition()

    @property
    def deliveries(self) -> list[Delivery]:
        with self._news:
            return list(self._arrived)

    def wait(self, count: int = 1, seconds: float = 30) -> list[Delivery]:
        """Wait until `count` deliveries have arrived, and return all of them."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._arrived) >= count, seconds):
                raise TimeoutError(f"{len(self._arrived)} of {count} deliveries came within {seconds:g} s")
            return list(self._arrived)

    def take(self, delivery: Delivery) -> Reply:
        with self._news:
            self._arrived.append(delivery)
            self._news.notify_all()
        return self.act(delivery)


class Actions:
    """A context manager in which services can be created. Eight threads send callbacks."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._pool = ThreadPoolExecutor(8)
        self._local = threading.local()
        self._stopping = threading.Event()
        self._count = itertools.count()

    def __enter__(self) -> Actions:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._server.shutdown()
        self._server.server_close()

    def serve(self, act: Act = takes) -> Service:
        """Create a service with this handler."""
        path = f"/service/{next(self._count)}"
        service = Service(f"http://127.0.0.1:{self._server.server_port}{path}", act)
        self._server.services[path] = service
        return service

    def answering(self, choose: str | Choose) -> Service:
        """Create a service that accepts the POST with 200 `""` and sends its answer to `/step`, as in echoer."""

        def act(delivery: Delivery) -> Reply:
            state = choose if isinstance(choose, str) else choose(delivery)
            self._pool.submit(self.call_back, delivery, delivery.answer(state))
            return TAKEN

        return self.serve(act)

    def call_back(self, delivery: Delivery, answer: Mapping[str, Any]) -> int | None:
        """Send the answer, with retries. Return the last status, or None if the server could not be reached."""
        session = self._session()
        status = None
        for pause in BACK_OFF:
            if self._stopping.wait(pause):
                break
            try:
                status = session.post(delivery.fields["callbackUrl"], json=answer, timeout=10).status_code
            except requests.RequestException:
                continue
            if status != 429 and status < 500:
                break
        return status

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = self.server.services.get(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        arrived = monotonic()
        reply = service.take(Delivery(json.loads(body), headers, body, arrived)) if service else Reply(404)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.services: dict[str, Service] = {}
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that closed their connection."""
