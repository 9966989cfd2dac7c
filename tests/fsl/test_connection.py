"""Requests to a server: proxies, certificates, and what is said if it does not respond."""

from __future__ import annotations

import socket

import pytest
import urllib3

from fsl.connection import Connection, NoResponse, _ca_bundle, _pool

PROXY = "http://ann:p%40ss@proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, PROXY)
    monkeypatch.setenv("no_proxy", "inside.example")


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://echoer.example", True),
        ("https://echoer.example", True),
        ("http://inside.example", False),
        ("http://127.0.0.1:8080", False),
        ("http://127.8.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://[::1]:8080", False),
    ],
)
def test_the_proxy_of_the_environment_is_used_for_other_machines(url: str, proxied: bool) -> None:
    pool = _pool(url)
    assert isinstance(pool, urllib3.ProxyManager) is proxied
    if isinstance(pool, urllib3.ProxyManager):
        assert pool.proxy_headers == urllib3.make_headers(proxy_basic_auth="ann:p@ss")


def test_certificates_are_those_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ca_bundle().endswith(".pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/own.pem")
    assert _ca_bundle() == "/own.pem"


def test_what_did_not_respond_is_said_in_a_few_words() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        connection = Connection(f"http://127.0.0.1:{silent.getsockname()[1]}", {})
        with pytest.raises(NoResponse, match=r"^timeout$"):
            connection.request("GET", "/", query={}, headers={}, body=None, response_timeout_s=0.05)
        connection.close()
    with pytest.raises(NoResponse, match=r"^connection refused$"):
        Connection("http://127.0.0.1:9", {}).request("GET", "/", query={}, headers={}, body=None)
    with pytest.raises(NoResponse):
        Connection("http://[", {}).request("GET", "/", query={}, headers={}, body=None)
