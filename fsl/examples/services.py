"""The five action services of `release.fsl` as one small server, written as any action service for echoer is.

Such a service takes the POST, says 200 `""` at once, does its work in its own time, and tells the outcome in a second
request: `{"flowId", "stepName", "ackState", "uuid", "done": true}` to `callbackUrl`, or, if the request has none (the
first echoer sent none), to the one address it was set up with. The work here is only to choose a state.

    python -m fsl.examples.services --port 18080 --callback http://127.0.0.1:8080/step
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, TypeAlias

import requests

PATHS: Final = ("/ci", "/approval", "/deploy", "/approval2", "/notify")
PORT: Final = 18080
CALLBACK: Final = "http://127.0.0.1:8080/step"
BACK_OFF: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds to wait before the callback is tried again; after the last it is given up."""

Choose: TypeAlias = Callable[[str, Mapping[str, Any]], str | None]
"""The path and the request to the state that is answered; None: no answer is ever given."""


def first_state(_path: str, request: Mapping[str, Any]) -> str | None:
    """The first of the states that the action may answer."""
    states = request.get("ackStates")
    return states[0] if states else None


@dataclass(frozen=True, slots=True)
class Served:
    """One call from its POST to its callback."""

    path: str
    request: Mapping[str, Any]
    ack_state: str | None
    status: int | None
    """The server's answer to the callback; None: there was none."""


class ExampleServices:
    """A context manager: inside, the services listen on 127.0.0.1. Port 0 takes any free one; `port` then tells it."""

    def __init__(self, port: int = PORT, callback: str = CALLBACK, choose: Choose = first_state) -> None:
        self.port = port
        self.record: list[Served] = []
        """The calls that are done with, in the order in which they were."""
        self._callback, self._choose = callback, choose
        self._stopping = threading.Event()
        self._done = threading.Condition()
        self._workers: set[threading.Thread] = set()
        self._server: _Server | None = None

    def __enter__(self) -> ExampleServices:
        """Raises OSError if the port is taken."""
        try:
            self._server = _Server(("127.0.0.1", self.port), _Handler)
        except OSError as exc:
            said = f"the example services cannot listen on 127.0.0.1:{self.port}: {exc.strerror or exc}"
            raise OSError(exc.errno, said) from exc
        self._server.services = self
        self.port = self._server.server_port
        self._stopping.clear()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nobody listens any more; callbacks that were not yet taken are given up."""
        self._stopping.set()
        if self._server is not None:
            self._server.stop()
        with self._done:
            workers = tuple(self._workers)
        for worker in workers:
            worker.join(timeout=5)

    def wait(self, count: int, seconds: float = 10) -> list[Served]:
        """The record, once it holds `count` calls. Raises TimeoutError if it does not in that time."""
        with self._done:
            if not self._done.wait_for(lambda: len(self.record) >= count, seconds):
                raise TimeoutError(f"{len(self.record)} of {count} calls came within {seconds:g} s")
            return list(self.record)

    def take(self, path: str, request: Mapping[str, Any]) -> None:
        """The request will be answered, from a thread of its own."""
        worker = threading.Thread(target=self._work, args=(path, request), daemon=True)
        with self._done:
            self._workers.add(worker)
            worker.start()

    def _work(self, path: str, request: Mapping[str, Any]) -> None:
        state = status = None
        try:
            state = self._choose(path, request)
            status = None if state is None else self._call_back(request, state)
        finally:
            with self._done:
                self.record.append(Served(path, request, state, status))
                self._workers.discard(threading.current_thread())
                self._done.notify_all()

    def _call_back(self, request: Mapping[str, Any], state: str) -> int | None:
        """The status that the server answered in the end, or None if it could not be reached."""
        answer = {name: request.get(name) for name in ("flowId", "stepName", "uuid")}
        answer |= {"ackState": state, "done": True}
        url = request.get("callbackUrl") or self._callback
        status = None
        with requests.Session() as session:
            session.trust_env = False  # a proxy has no way to this machine's own addresses
            for pause in (0.0, *BACK_OFF):
                if self._stopping.wait(pause):
                    break
                try:
                    status = session.post(url, json=answer, timeout=10).status_code
                except requests.RequestException:
                    continue
                if status != 429 and status < 500:
                    break
        return status


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if path not in PATHS:
            return self._answer(404, f"there is no service {path}; there are {', '.join(PATHS)}")
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return self._answer(400, "the request is no JSON object")
        self._answer(200, "")
        return self.server.services.take(path, request)

    def _answer(self, status: int, said: str) -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Quiet: the engine's history tells what was called."""


class _Server(ThreadingHTTPServer):
    services: ExampleServices
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is nobody's error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Connections that clients keep open end too: nobody would answer on them."""
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fsl.examples.services", description="The services of release.fsl")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--callback", default=CALLBACK, help="where to answer requests without a callbackUrl")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExampleServices(chosen.port, chosen.callback) as services:
            listed = " ".join(PATHS)
            print(f"example services on http://127.0.0.1:{services.port} ({listed}); Ctrl-C ends them", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return
    except OSError as exc:
        sys.exit(exc.strerror)


if __name__ == "__main__":
    main()
