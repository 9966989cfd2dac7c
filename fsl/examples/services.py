"""The five action services of `release.fsl` in one small server.

It works like any action service: it answers the POST with 200 `""` at once, does its work, and reports the result in a
second request: `{"flowId", "stepName", "ackState", "uuid", "done": true}` to `callbackUrl`. If the request has no
`callbackUrl` (the original echoer sent none), it calls a configured address. The work here is only to choose a state.

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
RETRY_DELAYS_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Delays before the callback is tried again; after the last it is abandoned."""

Choose: TypeAlias = Callable[[str, Mapping[str, Any]], str | None]
"""Maps the path and the request to the state to answer; None means that no answer is sent."""


def first_state(_path: str, request: Mapping[str, Any]) -> str | None:
    """Return the first of the states that the action may return."""
    states = request.get("ackStates")
    return states[0] if states else None


@dataclass(frozen=True, slots=True)
class Served:
    """One call from its POST to its callback."""

    path: str
    request: Mapping[str, Any]
    ack_state: str | None
    status: int | None
    """The status of the server's answer to the callback; None if there was no answer."""


class ExampleServices:
    """A context manager within which the services listen on 127.0.0.1. Port 0 chooses a free port; see `port`."""

    def __init__(self, port: int = PORT, callback: str = CALLBACK, choose: Choose = first_state) -> None:
        self.port = port
        self.record: list[Served] = []
        """The finished calls, in the order in which they finished."""
        self._callback, self._choose = callback, choose
        self._stopping = threading.Event()
        self._done = threading.Condition()
        self._workers: set[threading.Thread] = set()
        self._server: _Server | None = None

    def __enter__(self) -> ExampleServices:
        """Start to listen. Raises OSError if the port is in use."""
        try:
            self._server = _Server(("127.0.0.1", self.port), _Handler)
        except OSError as exc:
            message = f"the example services cannot listen on 127.0.0.1:{self.port}: {exc.strerror or exc}"
            raise OSError(exc.errno, message) from exc
        self._server.services = self
        self.port = self._server.server_port
        self._stopping.clear()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to listen; callbacks that the server has not accepted are abandoned."""
        self._stopping.set()
        if self._server is not None:
            self._server.stop()
        with self._done:
            workers = tuple(self._workers)
        for worker in workers:
            worker.join(timeout=5)

    def wait(self, count: int, seconds: float = 10) -> list[Served]:
        """Return the record once it has `count` calls. Raises TimeoutError after `seconds`."""
        with self._done:
            if not self._done.wait_for(lambda: len(self.record) >= count, seconds):
                raise TimeoutError(f"only {len(self.record)} of {count} calls finished within {seconds:g} s")
            return list(self.record)

    def take(self, path: str, request: Mapping[str, Any]) -> None:
        """Answer the request from a thread of its own."""
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
        """Send the callback; return the last status, or None if the server could not be reached."""
        answer = {name: request.get(name) for name in ("flowId", "stepName", "uuid")}
        answer |= {"ackState": state, "done": True}
        url = request.get("callbackUrl") or self._callback
        status = None
        with requests.Session() as session:
            session.trust_env = False  # a proxy cannot reach the addresses of this machine
            for delay in (0.0, *RETRY_DELAYS_S):
                if self._stopping.wait(delay):
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
    wbufsize = -1  # headers and body are sent in one packet

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if path not in PATHS:
            return self._answer(404, f"there is no service at {path}; the services are {', '.join(PATHS)}")
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return self._answer(400, "the request is not a JSON object")
        self._answer(200, "")
        return self.server.services.take(path, request)

    def _answer(self, status: int, text: str) -> None:
        content = json.dumps(text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the history of the run contains the calls."""


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
        """Ignore clients that close the connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop the server, and close connections that clients keep open."""
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # already closed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fsl.examples.services", description="The services of release.fsl")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--callback", default=CALLBACK, help="the URL for answers to requests without a callbackUrl")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExampleServices(chosen.port, chosen.callback) as services:
            listed = " ".join(PATHS)
            print(f"example services on http://127.0.0.1:{services.port} ({listed}); press Ctrl-C to stop", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return
    except OSError as exc:
        sys.exit(exc.strerror)


if __name__ == "__main__":
    main()
