"""Action services as anybody would write one: an HTTP server; every `serve` is a service at an address of its own."""

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
"""Pauses before the callback is tried again, in seconds; after the last it is given up."""


@dataclass(frozen=True)
class Delivery:
    """One POST as it arrived."""

    fields: dict[str, Any]
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def uuid(self) -> str:
        return str(self.fields["uuid"])

    def answer(self, state: str, **more: Any) -> dict[str, Any]:
        """What echoer's own services send to `/step`, and what else is said."""
        named = {name: self.fields[name] for name in ("flowId", "stepName", "uuid")}
        return {**named, "ackState": state, "done": True, **more}


@dataclass(frozen=True)
class Reply:
    """What a service says to a POST; as echoer's do, if nothing else is said."""

    status: int = 200
    body: bytes = b'""'
    headers: Mapping[str, str] = field(default_factory=dict)


TAKEN: Final = Reply()
Act: TypeAlias = Callable[[Delivery], Reply]
"""What a service does with a POST."""

Choose: TypeAlias = Callable[[Delivery], str]


def says(state: str, **more: Any) -> Act:
    """Answers in the HTTP answer."""
    body = json.dumps({"ackState": state, **more}).encode()
    return lambda _: Reply(body=body)


def in_turn(*acts: Act) -> Act:
    """The first act for the first POST, and so on; the last for all that follow."""
    counter, lock = itertools.count(), threading.Lock()

    def act(delivery: Delivery) -> Reply:
        with lock:
            number = next(counter)
        return acts[min(number, len(acts) - 1)](delivery)

    return act


def takes(_: Delivery) -> Reply:
    """Takes the POST, and never says a word."""
    return TAKEN


class Service:
    """One service: its address, and what arrived there."""

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
        """What arrived, once there are so many."""
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
    """A context manager: inside, services can be had. Callbacks go out from eight threads."""

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
        """A new service that acts so."""
        path = f"/service/{next(self._count)}"
        service = Service(f"http://127.0.0.1:{self._server.server_port}{path}", act)
        self._server.services[path] = service
        return service

    def answering(self, choose: str | Choose) -> Service:
        """A new service as echoer's are: it takes the POST with 200 `""`, and tells the outcome to `/step`."""

        def act(delivery: Delivery) -> Reply:
            state = choose if isinstance(choose, str) else choose(delivery)
            self._pool.submit(self.call_back, delivery, delivery.answer(state))
            return TAKEN

        return self.serve(act)

    def call_back(self, delivery: Delivery, answer: Mapping[str, Any]) -> int | None:
        """The status that the server answered in the end; None: it could not be reached."""
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
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.services: dict[str, Service] = {}
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is nobody's error."""
