"""Reading a response, whatever a server sends and in whatever pieces."""

from __future__ import annotations

import pytest

from chalicelib.adapters.actions.responses import MAX_HEAD_BYTES, MAX_HEADERS, Ended, NotHttp, Received, read

MOST = 100
"""How much of a body these tests read."""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Peer:
    """Sends these bytes in pieces of this size, and then closes the connection or fails."""

    def __init__(self, data: bytes, size: int = 16384, failure: Exception | None = None) -> None:
        self.data, self.size, self.failure = data, size, failure
        self.is_drained = False

    def receive(self) -> bytes:
        assert not self.is_drained, "it reads on after the end"
        piece, self.data = self.data[: self.size], self.data[self.size :]
        if not piece:
            self.is_drained = True
            if self.failure:
                raise self.failure
        return piece


def received(data: bytes, size: int = 16384, failure: Exception | None = None) -> Received:
    return read(Peer(data, size, failure).receive, MOST)


FRAMED = [
    (OK + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    (OK + b"content-LENGTH:3  \r\n\r\nabc", b"abc", True),
    (OK + b"Content-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    (OK + b"\r\nabc", b"abc", False),
    (OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    (OK + b"Connection: x, Close\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    (OK + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"abc", True),
    (CHUNKED + b"1;a=b\r\na\r\n00002 \r\nbc\r\n0;x\r\nT: 1\r\nU: 2\r\n\r\n", b"abc", True),
    (CHUNKED + b"A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", b"0123456789x", True),
    (CHUNKED + b"3\nabc\n0\n\n", b"abc", True),
    (OK + b"Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", b"abc", False),
    (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc", b"abc", True),
    (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", b"abc", True),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nContent-Length: 4\r\n\r\n" + OK + b"\r\nabc", b"abc", False),
    (b"HTTP/1.1 204 X\r\n\r\n", b"", True),
    (b"HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n", b"", True),
    (b"HTTP/1.1 101 X\r\n\r\n", b"", False),
]


@pytest.mark.parametrize("size", [1, 2, 7, 16384])
@pytest.mark.parametrize(("data", "body", "is_kept"), FRAMED)
def test_a_response_is_the_same_in_any_pieces(data: bytes, body: bytes, is_kept: bool, size: int) -> None:
    found = received(data, size)
    assert (found.body, found.is_whole, found.is_kept) == (body, True, is_kept)


@pytest.mark.parametrize("more", [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize(("data", "body", "is_kept"), [one for one in FRAMED if one[2]])
def test_what_follows_a_response_ends_the_connection(data: bytes, body: bytes, is_kept: bool, more: bytes) -> None:
    found = received(data + more)
    assert (found.body, found.is_whole, found.is_kept) == (body, is_kept, False)


def test_headers_are_read_in_any_spelling() -> None:
    lines = b"A:b\r\nX-Long: 1 \t 2\t\r\nC: 1\r\nc: 2\r\nEmpty:\r\nUml: \xe4\r\nFold: 1\r\n  2\r\n\t3\r\n"
    head = received(OK + lines + b"Content-Length: 0\r\n\r\n").head
    expected = {"a": "b", "x-long": "1 \t 2", "c": "1, 2", "empty": "", "uml": "\xe4", "fold": "1 2 3"}
    assert head.headers == expected | {"content-length": "0"}


@pytest.mark.parametrize(
    "head",
    [
        b"220 mail.example ESMTP\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\rK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        OK + b" A: b\r\n\r\n",
        OK + b"A b\r\n\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b": b\r\n\r\n",
        OK + b"A: b\0c\r\n\r\n",
        OK + b"A: b\rContent-Length: 3\r\n\r\n",
        OK + b"\xe4: b\r\n\r\n",
        OK + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        OK + b"A: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        OK + b"Content-Length: 2, 3\r\n\r\n",
        OK + b"Content-Length: +3\r\n\r\n",
        OK + b"Content-Length: -3\r\n\r\n",
        OK + b"Content-Length: 0x3\r\n\r\n",
        OK + b"Content-Length: 3 3\r\n\r\n",
        OK + b"Content-Length:\r\n\r\n",
        OK + b"Content-Length: \xb3\r\n\r\n",
        OK + b"Content-Length: 9999999999999999999999\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        OK + b"Transfer-Encoding:\r\n\r\n",
    ],
    ids=lambda head: repr(head)[:60],
)
@pytest.mark.parametrize("size", [1, 16384])
def test_a_head_that_is_invalid_or_ambiguous_is_no_response(head: bytes, size: int) -> None:
    with pytest.raises(NotHttp):
        received(head + b"abc", size)


@pytest.mark.parametrize("start", [b"SSH-2.0-x\r\n", b"x" * (MAX_HEAD_BYTES + 1), OK + b"A: b\r\n" * 12_000])
def test_what_cannot_become_a_response_is_not_waited_for(start: bytes) -> None:
    with pytest.raises(NotHttp):
        received(start, failure=TimeoutError())


@pytest.mark.parametrize("start", [b"", b"H", b"HTTP/1.1 200", OK, OK + b"A: b\r\n", b"HTTP/1.1 100 X\r\n\r\n"])
def test_a_connection_that_ends_within_the_head_is_no_response(start: bytes) -> None:
    with pytest.raises(Ended):
        received(start)
    with pytest.raises(TimeoutError):
        received(start, failure=TimeoutError())


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + b"Content-Length: 9\r\n\r\nabc", b"abc"),
        (CHUNKED, b""),
        (CHUNKED + b"3\r\nabc", b"abc"),
        (CHUNKED + b"9\r\nabc", b"abc"),
        (CHUNKED + b"3\r\nabc\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"abc"),
        (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\nzz\r\n", b"abc"),
        (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"3 3\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"1" * 16 + b"\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n", b""),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", b""),
    ],
    ids=lambda value: repr(value)[-60:],
)
@pytest.mark.parametrize("size", [1, 16384])
def test_a_body_that_is_not_as_announced_is_broken_off(data: bytes, body: bytes, size: int) -> None:
    found = received(data, size)
    assert (found.head.status, found.body, found.is_whole, found.is_kept) == (200, body, False, False)


@pytest.mark.parametrize("failure", [TimeoutError(), ConnectionResetError()])
def test_a_failure_within_a_body_breaks_it_off(failure: Exception) -> None:
    for start in (OK + b"Content-Length: 9\r\n\r\n", CHUNKED + b"9\r\n", OK + b"\r\n"):
        found = received(start + b"abc", failure=failure)
        assert (found.body, found.is_whole, found.is_kept) == (b"abc", False, False)


@pytest.mark.parametrize("head", [OK + b"Content-Length: 1000\r\n\r\n", OK + b"\r\n", CHUNKED + b"3E8\r\n"])
@pytest.mark.parametrize("size", [1, 50, 16384])
def test_a_long_body_is_not_read_to_its_end(head: bytes, size: int) -> None:
    peer = Peer(head + b"x" * 1000 + b"\r\n0\r\n\r\n", size)
    found = read(peer.receive, MOST)
    assert (found.body, found.is_whole, found.is_kept) == (b"x" * MOST, False, False)
    assert size > MOST or len(peer.data) >= 900 - size


def test_small_chunks_without_end_are_not_read_on() -> None:
    found = received(CHUNKED + b"1\r\nx\r\n" * 10_000)
    assert (found.body, found.is_whole) == (b"x" * MOST, False)
