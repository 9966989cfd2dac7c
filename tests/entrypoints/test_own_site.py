"""Which addresses and origins a server without authentication takes for its own."""

from __future__ import annotations

import pytest

from chalicelib.entrypoints.http.own_site import OwnSite, authority

HERE = OwnSite(8080, ("https://flows.example/api",))
DEFAULT_PORT = OwnSite(80, ("http://127.0.0.1",))


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:8080", True),
        ("LocalHost:8080", True),
        ("127.200.0.1:8080", True),
        ("[::1]:8080", True),
        ("flows.example", True),
        ("flows.example:443", True),
        ("FLOWS.example", True),
        ("flows.example:80", False),
        ("flows.example:8080", False),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        ("127.0.0.1:0", False),
        ("localhost:8081", False),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example:8080", False),
        ("localhost.evil.example:8080", False),
        ("128.0.0.1:8080", False),
        ("0.0.0.0:8080", False),
        ("[::2]:8080", False),
        ("[::]:8080", False),
        ("10.0.0.1:8080", False),
        ("", False),
        ("127.0.0.1:8080, evil.example", False),
    ],
)
def test_hosts(host: str, accepted: bool) -> None:
    """Loopback addresses with the port of the server, and the public address."""
    problem = HERE.host_problem(host)
    assert (problem is None) == accepted, problem
    assert accepted or (repr(host) in str(problem) and "https://flows.example" in str(problem))


@pytest.mark.parametrize(
    ("host", "accepted"), [("localhost", True), ("[::1]", True), ("127.0.0.1:80", True), ("127.0.0.1:8080", False)]
)
def test_the_default_port_may_be_left_out(host: str, accepted: bool) -> None:
    assert (DEFAULT_PORT.host_problem(host) is None) == accepted


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://flows.example", True),
        ("https://flows.example:443", True),
        ("http://flows.example", False),
        ("https://flows.example:8443", False),
        ("http://127.0.0.1:9999", False),
        ("http://localhost", False),
        ("https://localhost:8080", False),
        ("http://evil.example:8080", False),
        ("http://127.0.0.1:8080 http://evil.example", False),
        ("http://127.0.0.1:8080@evil.example", False),
        ("http://127.0.0.1:8080/", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("chrome-extension://abc", False),
    ],
)
def test_origins(origin: str | None, accepted: bool) -> None:
    """The same, scheme and port included."""
    problem = HERE.page_problem(origin, None)
    assert (problem is None) == accepted, problem
    assert accepted or repr(origin) in str(problem)


@pytest.mark.parametrize(
    ("fetch_site", "accepted"),
    [
        (None, True),
        ("none", True),
        ("same-origin", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
        ("same-origin, cross-site", False),
    ],
)
def test_what_browsers_say_of_the_page(fetch_site: str | None, accepted: bool) -> None:
    """`same-site` is another port or a subdomain, so another origin."""
    assert (HERE.page_problem(None, fetch_site) is None) == accepted
    assert HERE.page_problem("http://evil.example", fetch_site) is not None


@pytest.mark.parametrize(
    "text", ["", "a b", "a:b", "a:123456", "a/b", "user@a", "::1", "[a]", "a,b", "ä", "a:", "[::1"]
)
def test_what_is_no_host(text: str) -> None:
    assert authority(text) is None


@pytest.mark.parametrize("fetch_site", [None, "cross-site", "same-site"])
def test_pages_of_configured_origins_are_accepted(fetch_site: str | None) -> None:
    site = OwnSite(8080, (), ("https://console.example",))
    assert site.page_problem("https://console.example", fetch_site) is None
    for other in ("http://console.example", "https://console.example:444", "https://console.example.evil", "null", ""):
        assert site.page_problem(other, fetch_site) is not None
    assert site.host_problem("console.example") is not None


def test_a_server_with_a_strange_address() -> None:
    """An address that cannot be parsed is nobody's."""
    site = OwnSite(8080, ("http://[", "ftp://flows.example", "http://flows.example:99999"))
    assert site.host_problem("127.0.0.1:8080") is None
    assert site.host_problem("flows.example") is not None
