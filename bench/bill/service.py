"""The action service: accepts each request at /taken, answers it at /inline, and with 250 KB at /large.

It prints its port.

`POST /recorded` returns what it received since the last such request, as MessagePack. The service runs until its
standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import msgspec

from bench.bill.records import ActionCall

LARGEST: Final = 250_000

_ANSWERS: Final = {
    b"/taken": b"",
    b"/inline": b'{"ackState":"OK","data":{"shipped":true}}',
    b"/large": b'{"ackState":"OK","data":"' + b"x" * LARGEST + b'"}',
}


class ActionService:
    def __init__(self) -> None:
        self._received: list[ActionCall] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                line, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
                headers = {
                    name.decode(): value.decode().strip() for name, _, value in (one.partition(b":") for one in lines)
                }
                length = next(int(value) for name, value in headers.items() if name.lower() == "content-length")
                writer.write(self._answer(line.split()[1], headers, await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, path: bytes, headers: dict[str, str], body: bytes) -> bytes:
        if path == b"/recorded":
            answer, self._received = msgspec.msgpack.encode(self._received), []
        else:
            answer = _ANSWERS[path]
            if len(self._received) < 100:
                url = (
                    f"http://{next(value for name, value in headers.items() if name.lower() == 'host')}{path.decode()}"
                )
                self._received.append(ActionCall(url, headers, body))
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer


async def _run() -> None:
    server = await asyncio.start_server(ActionService().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_run())
