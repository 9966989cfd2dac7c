"""A small HTTP server for callbacks into an application: a thread per connection, since those who call keep theirs."""

import json
import socket
import threading
from collections.abc import Callable
from typing import Final

from bench.machine import wire

_DONE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_FAILED: Final = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n%b"


def listen(handle: Callable[[str, object], None]) -> str:
    """Serve in threads until the process ends: `handle` gets path and JSON of each request. Return the URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    threading.Thread(target=_accept, args=(listener, handle), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _accept(listener: socket.socket, handle: Callable[[str, object], None]) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, handle), daemon=True).start()


def _serve(connection: socket.socket, handle: Callable[[str, object], None]) -> None:
    received = b""
    with connection:
        while more := connection.recv(wire.BUFFER):
            received += more
            while request := wire.first_message(received):
                path = received.split(b" ", 2)[1].decode()
                received = received[request.size :]
                connection.sendall(_answer(handle, path, json.loads(request.body)))


def _answer(handle: Callable[[str, object], None], path: str, given: object) -> bytes:
    try:
        handle(path, given)
    except Exception as error:
        said = repr(error).encode()
        return _FAILED % (len(said), said)
    return _DONE
