"""Splitting the URL of an action: what is not normalized here is as `requests` would normalize it."""

from __future__ import annotations

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.actions import targets
from chalicelib.adapters.actions.targets import NoAddress, target_of

PARTS = ("a", "Z", "7", "-", ".", "..", "/", "/./", "%20", "%2F", "%7E", "%41", "%2f", "%c3%a4", "%5F", "%25", "%4")
PATH = st.lists(st.sampled_from([*PARTS, "~", "_", "!", "$", "&", "'", "(", "+", "=", ":", "@", ";", "?", " ", "ä"]))
HOST = st.lists(st.sampled_from(["a", "b1", "x-y", ".", "-", "7", "A"]), min_size=1, max_size=6).map("".join)
PORT = st.sampled_from(["", ":80", ":443", ":1", ":65535", ":59999", ":0", ":080", ":"])
URL = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}{port}{path and '/' + ''.join(path)}{query}",
    st.sampled_from(["http", "https"]),
    HOST,
    PORT,
    PATH,
    st.one_of(st.just(""), PATH.map(lambda parts: "?" + "".join(parts))),
)


@given(URL)
def test_usual_urls_are_as_requests_normalizes_them(url: str) -> None:
    try:
        expected = targets._normalized(url)
    except NoAddress:
        with pytest.raises(NoAddress):
            target_of(url)
    else:
        assert target_of(url) == expected


@pytest.mark.parametrize(
    ("url", "is_tls", "host", "port", "path", "shown"),
    [
        ("http://a.example", False, "a.example", 80, "/", "a.example"),
        ("https://a.example:443/b?c=d", True, "a.example", 443, "/b?c=d", "a.example"),
        ("https://a.example?c", True, "a.example", 443, "/?c", "a.example"),
        ("http://127.0.0.1:8080/b%20c", False, "127.0.0.1", 8080, "/b%20c", "127.0.0.1:8080"),
        ("HTTP://A.Example./b#c", False, "a.example.", 80, "/b", "a.example"),
        ("http://[::1]:81/", False, "::1", 81, "/", "[::1]:81"),
        ("http://a/b/../c d", False, "a", 80, "/c%20d", "a"),
        ("http://b\u00fccher.example/\u00e4", False, "xn--bcher-kva.example", 80, "/%C3%A4", "xn--bcher-kva.example"),
    ],
)
def test_a_url_is_split(url: str, is_tls: bool, host: str, port: int, path: str, shown: str) -> None:
    target = target_of(url)
    assert (target.is_tls, target.host, target.port, target.path) == (is_tls, host, port, path)
    assert target.headers == {"Host": shown}


def test_user_and_password_are_a_header() -> None:
    expected = requests.Request("GET", "http://a/", auth=("me", "s3:cret")).prepare().headers["Authorization"]
    assert target_of("http://me:s3%3Acret@a/b").headers == {"Host": "a", "Authorization": expected}


@pytest.mark.parametrize(
    "url",
    ["", "a", "ftp://a/b", "http://", "http:///b", "http://a:99999/", "http://a:b/", "http://[::1", "http://*/", "//a"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(NoAddress):
        target_of(url)


@pytest.mark.parametrize(
    "url", ["http://a/b c", "http://a/\r\nX: y", "http://a/\0", "http://a\r\nX: y/", "http://a/?\n"]
)
def test_no_url_adds_to_the_request(url: str) -> None:
    try:
        target = target_of(url)
    except NoAddress:
        return
    assert not set(target.path + target.headers["Host"]) & set(" \r\n\0")
