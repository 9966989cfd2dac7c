"""POST over kept connections from an event loop, with as little work per request as possible."""

import asyncio
from collections import defaultdict
from typing import TypeAlias
from urllib.parse import urlsplit

_Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HttpPool:
    """Connections by host and port. A response must have a Content-Length."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = defaultdict(list)

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Send JSON and return status and body. A connection that the server has closed is replaced once."""
        parts = urlsplit(url)
        place = (parts.hostname or "", parts.port or 80)
        head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        if self._idle[place]:
            try:
                return await self._exchange(place, self._idle[place].pop(), request)
            except (OSError, asyncio.IncompleteReadError):
                self._idle[place].clear()
        return await self._exchange(place, await asyncio.open_connection(*place), request)

    async def _exchange(self, place: tuple[str, int], connection: _Connection, request: bytes) -> tuple[int, bytes]:
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(content_length(head))
        if b"\r\nconnection: close" in head:
            writer.close()
        else:
            self._idle[place].append(connection)
        return int(head[9:12]), body


def content_length(head: bytes) -> int:
    """Return the Content-Length in a head in lower case; 0 if there is none."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
