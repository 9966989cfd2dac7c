"""Responses of HTTP/1.1, as RFC 9110 and RFC 9112 define them, read from a connection.

What a response means must not depend on who reads it. So a response is refused if its length is ambiguous, and a
connection is kept only if the response ended where it said, with nothing after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

MAX_HEAD_BYTES: Final = 64 * 1024
"""The status line and the headers of a response. So large may its trailers be, too."""
MAX_HEADERS: Final = 100
_MAX_CHUNK_LINE: Final = 4096
_FIRST: Final = b"HTTP/1."

_END: Final = re.compile(rb"\n\r?\n")
_STATUS: Final = re.compile(r"HTTP/1\.([0-9]) +([1-9][0-9]{2})(?:[ \t][^\r\n\0]*)?\r?\n")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)\r?\n")
_FOLD: Final = re.compile(r"[ \t]*\r?\n[ \t]+")
_LENGTH: Final = re.compile(r"([0-9]{1,18})(?:[ \t]*,[ \t]*\1)*")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class NotHttp(ValueError):
    """What was received is not a response of HTTP/1.1 or 1.0."""


class Ended(ConnectionResetError):
    """The peer closed the connection before the headers of the final response were complete."""


class Head(msgspec.Struct, frozen=True):
    """The status and the headers of a response. The names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    length: int | None
    """The bytes of the body; None: it is in chunks, or it ends with the connection."""
    is_chunked: bool
    is_kept: bool
    """Whether the server keeps the connection open after this response."""


class Received(msgspec.Struct, frozen=True):
    """A response, with a part of its body if that is longer than the limit or breaks off."""

    head: Head
    body: bytes
    is_whole: bool
    is_kept: bool
    """Whether the connection can be used again."""


def read(receive: Callable[[], bytes], most: int) -> Received:
    """Return the final response with at most `most` bytes of its body. Interim ones are skipped (RFC 9110, 15.2).

    `receive` returns the next bytes, and none at the end of the connection. Raises its errors, Ended and NotHttp before
    the headers are complete. After that the body is broken off.
    """
    data = bytearray()
    while True:
        head = _read_head(receive, data)
        if head.status >= 200 or head.status == 101:
            break
    body = _Body(receive, data, most)
    try:
        body.read(head)
    except (OSError, NotHttp):
        body.is_whole = False
    return Received(head, bytes(body.content), body.is_whole, head.is_kept and body.is_whole and not data)


def _read_head(receive: Callable[[], bytes], data: bytearray) -> Head:
    """Take the head from the data, and leave what follows it."""
    searched = 0
    while (end := _END.search(data, searched)) is None:
        if len(data) > MAX_HEAD_BYTES or (b"\n" in data and not data.startswith(_FIRST)):
            raise NotHttp("no status line, or too large a head")
        searched = max(len(data) - 2, 0)
        piece = receive()
        if not piece:
            raise Ended("no response")
        data += piece
    if end.end() > MAX_HEAD_BYTES:
        raise NotHttp("too large a head")
    text = data[: end.end()].decode("latin-1")
    del data[: end.end()]
    return head_of(text)


def head_of(text: str) -> Head:
    """`text` ends with an empty line. Raises NotHttp."""
    first = _STATUS.match(text)
    if first is None:
        raise NotHttp("no status line")
    is_plain = "\n " not in text and "\n\t" not in text
    fields = text[first.end() :] if is_plain else _FOLD.sub(" ", text[first.end() :])
    headers: dict[str, str] = {}
    place = count = 0
    while found := _HEADER.match(fields, place):
        name, value = found[1].lower(), found[2].rstrip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        place, count = found.end(), count + 1
    if fields[place:] not in ("\r\n", "\n") or count > MAX_HEADERS:
        raise NotHttp("an invalid header, or too many")
    return _framed(int(first[2]), headers, is_old=first[1] == "0")


def _framed(status: int, headers: dict[str, str], *, is_old: bool) -> Head:
    """Return the head with the length of its body (RFC 9112, 6.3) and what it asks of the connection (9.3)."""
    coding = headers.get("transfer-encoding", "identity").lower()
    length = headers.get("content-length")
    options = headers.get("connection", "").lower()
    is_kept = "keep-alive" in options if is_old else "close" not in options
    if coding not in ("chunked", "identity") or (length is not None and not _LENGTH.fullmatch(length)):
        raise NotHttp("an invalid length, or an unknown coding")
    if status < 200 or status in (204, 304):
        return Head(status, headers, 0, False, is_kept and status != 101)
    if coding == "chunked":  # it counts, but with a length beside it the server cannot be trusted to go on
        return Head(status, headers, None, True, is_kept and length is None and not is_old)
    if length is None:
        return Head(status, headers, None, False, False)
    return Head(status, headers, int(length.partition(",")[0]), False, is_kept)


class _Body:
    """Reads a body, or the first `most` bytes of it. `data` was received already."""

    def __init__(self, receive: Callable[[], bytes], data: bytearray, most: int) -> None:
        self._receive, self._data, self._most = receive, data, most
        self.content = bytearray()
        self.is_whole = False

    def read(self, head: Head) -> None:
        """Raises errors of the connection, and NotHttp for invalid chunks."""
        if head.is_chunked:
            self._read_chunks()
        else:
            self._take(head.length)
            self.is_whole = head.length in (None, len(self.content)) and len(self.content) < self._most

    def _take(self, count: int | None) -> bool:
        """Move the next bytes to the content; None: all until the end. Return whether there is room for more."""
        room = self._most - len(self.content)
        left = room if count is None else min(count, room)
        while left > 0 and (self._data or self._more()):
            piece = self._data[:left]
            del self._data[:left]
            self.content += piece
            left -= len(piece)
        return len(self.content) < self._most

    def _read_chunks(self) -> None:
        while found := _CHUNK.fullmatch(self._line(_MAX_CHUNK_LINE)):
            size = int(found[1], 16)
            if size == 0:
                left = MAX_HEAD_BYTES
                while trailer := self._line(left):
                    left -= len(trailer)
                self.is_whole = True
                return
            before = len(self.content)
            if not self._take(size) or len(self.content) != before + size:
                return
            if self._line(0):
                break
        raise NotHttp("an invalid chunk")

    def _line(self, most: int) -> bytes:
        """Take the next line, and return it without its end."""
        searched = 0
        while (end := self._data.find(b"\n", searched)) < 0:
            searched = len(self._data)
            if searched > most + 1 or not self._more():
                raise NotHttp("a line of the chunks does not end")
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        if len(line) > most:
            raise NotHttp("too long a line of the chunks")
        return line

    def _more(self) -> bool:
        piece = self._receive()
        self._data += piece
        return bool(piece)
