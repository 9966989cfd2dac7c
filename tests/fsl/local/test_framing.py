"""Requests that are read without waitress mean what they mean to waitress."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from fsl.local.http.framing import MAX_HEADER_BYTES, MAX_PLAIN_BODY_BYTES, PlainRequest, RequestParser, plain_request

NAMES = ["Host", "host", "A", "x-b", "X_C", "Content-Length", "content-type", "Connection", "Te", "Expect", "Forwarded"]
VALUES = [
    "",
    "a",
    "a b",
    " a\t",
    "1",
    "3",
    "03",
    "+3",
    "3, 3",
    "close",
    "keep-alive",
    "100-continue",
    "\xe4",
    "a\tb",
    "\0",
]
LINE = st.builds(
    "{}{}{}".format, st.sampled_from(NAMES), st.sampled_from([":", ": ", " :", "", ":\t"]), st.sampled_from(VALUES)
)
TARGET = st.lists(st.sampled_from(["/", "a", "%2F", "?", "b=1", "#", "..", "\xe4", " ", "//", '"']), min_size=1)
FIRST = st.builds(
    "{} {}{}{}".format,
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"]),
    st.sampled_from(["/", "", "http://a"]),
    TARGET.map("".join),
    st.sampled_from([" HTTP/1.1", " HTTP/1.0", "", " HTTP/1.1 "]),
)
END = st.sampled_from(["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "])
REQUEST = st.builds(
    lambda first, lines, end, body: (
        (first + end + "".join(line + "\r\n" for line in lines) + "\r\n").encode("latin-1") + body
    ),
    FIRST,
    st.lists(LINE, max_size=5),
    END,
    st.sampled_from([b"", b"abc", b"abcd", b"\r\n", b"ab"]),
)


@given(REQUEST)
@example(b"POST /a?b=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
@example(b"POST /a HTTP/1.1\r\nHost: a\r\nX-B: c  d\t\r\ncontent-length:03\r\n\r\nabc")
def test_what_is_plain_is_what_waitress_reads(data: bytes) -> None:
    found = plain_request(data, "127.0.0.1")
    if not isinstance(found, PlainRequest):
        return
    parser = RequestParser(Adjustments())
    place = 0
    while place < len(data) and not parser.completed:
        place += parser.received(data[place:])
    assert place == len(data)
    assert (parser.error, parser.completed, parser.connection_close) == (None, True, False)
    request = found.request
    assert (request.method, request.protocol) == (parser.command, f"HTTP/{parser.version}")
    assert f"{request.path}?{request.query}".rstrip("?") == parser.request_uri.rstrip("?")
    body = parser.get_body_stream().read()
    assert request.body == body
    theirs = {name.replace("_", "-").title(): value for name, value in parser.headers.items()}
    assert request.headers == theirs


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (b"", 0),
        (b"POST /a HTTP/1.1\r\nHost: a\r\n", 0),
        (b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\n", 3),
        (b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", 1),
        (b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd", 0),
        (b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_PLAIN_BODY_BYTES + 1), 0),
        (b"POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 0),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n", 0),
    ],
    ids=lambda value: repr(value)[-40:],
)
def test_what_is_missing_of_a_plain_request(data: bytes, missing: int) -> None:
    assert plain_request(data, "127.0.0.1") == missing
