"""Domains of the stage's own: servers on loopback that pass requests on to the emulated API Gateway or Function URL.

A stage needs its addresses (ECHOER_PUBLIC_URL, ECHOER_CALLBACK_URL) before AWS has chosen any, as with custom domains.
"""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT_S: Final = 40
"""Longer than API Gateway waits for a function."""

_OF_A_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
_NO_BODY: Final = frozenset({204, 304})


class Domain:
    """A context manager that serves `url`. `statuses` counts the responses. `leads_to` is the address on AWS."""

    def __init__(self) -> None:
        self.leads_to = ""
        self.statuses: Counter[int] = Counter()
        self.refusals: list[str] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler, self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Domain:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, request: str, status: int, body: bytes) -> None:
        """Count a response. Server errors are kept as texts."""
        with self._lock:
            self.statuses[status] += 1
            if status >= 500:
                self.refusals.append(f"{request}: {status} {body[:500].decode(errors='replace')}")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        target = urlsplit(self.server.domain.leads_to)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_A_CONNECTION}
        upstream = http.client.HTTPConnection(target.netloc, timeout=_TIMEOUT_S)
        try:
            upstream.request(self.command, target.path + self.path, body, headers)
            response = upstream.getresponse()
            status, received, answer = response.status, response.getheaders(), response.read()
        except (OSError, http.client.HTTPException) as exc:
            status, received, answer = 502, [], f"the emulator did not answer: {exc!r}".encode()
        finally:
            upstream.close()
        self.server.domain.count(f"{self.command} {self.path}", status, answer)
        self.send_response_only(status)
        for name, value in received:
            if name.lower() not in _OF_A_CONNECTION:
                self.send_header(name, value)
        if status not in _NO_BODY:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_Handler], domain: Domain) -> None:
        self.domain = domain
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that closed their connection."""
