"""The service that all systems call: one event loop that answers at once.

`python -m bench.machine.service` prints its URL and serves until it is ended. `/inline` answers in Echoer's form;
`/callback` takes the work and posts the answer to the `callbackUrl`; every other path is plain REST.
"""

import asyncio
import json
import sys
from typing import Any, cast

from bench.machine.http_pool import HttpPool, content_length

DATA = {"n": 1}
_PLAIN = json.dumps(DATA).encode()
_INLINE = json.dumps({"ackState": "OK", "data": DATA}).encode()


class Service(asyncio.Protocol):
    """One connection: requests are answered in order."""

    def __init__(self, pool: HttpPool, tasks: set[asyncio.Task[None]]) -> None:
        self._pool = pool
        self._tasks = tasks
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            length = content_length(self._received[:end].lower())
            if len(self._received) < end + length:
                return
            request, body = self._received[:end], self._received[end : end + length]
            self._received = self._received[end + length :]
            self._answer(request.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        if path != b"/callback":
            self._respond(_INLINE if path == b"/inline" else _PLAIN)
            return
        self._respond(b"{}")
        task = asyncio.ensure_future(_call_back(self._pool, json.loads(body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _respond(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def _call_back(pool: HttpPool, request: dict[str, Any]) -> None:
    named = {name: request[name] for name in ("flowId", "stepName", "uuid")}
    body = json.dumps({**named, "ackState": "OK", "done": True, "data": DATA}).encode()
    status, answer = await pool.post(request["callbackUrl"], body)
    if status != 200:
        print(f"callback refused: {status} {answer!r}", file=sys.stderr)  # noqa: T201 - into the log of the part


async def serve() -> None:
    pool, tasks = HttpPool(), set[asyncio.Task[None]]()
    server = await asyncio.get_running_loop().create_server(lambda: Service(pool, tasks), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - to who started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
