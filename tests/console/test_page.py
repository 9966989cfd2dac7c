"""The console as the API serves it. `make console-test` tries it in a browser."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from chalicelib.config import Backend, Settings
from chalicelib.entrypoints.http.views.console import FOLDER, PAGE
from scripts.console import FINGERPRINT, fingerprint
from tests.entrypoints.gateway import call
from tests.entrypoints.test_access import under
from tests.hosts import Host

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FILES = sorted(path for path in (FOLDER / "console").iterdir() if path.suffix in (".js", ".css"))


def test_the_built_files_are_from_these_sources() -> None:
    assert FINGERPRINT.read_text(encoding="utf-8").strip() == fingerprint(), "run `make console`"


def test_browsers_get_the_page_and_other_clients_the_name(host: Host) -> None:
    page = call("GET", "/", headers=HTML)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Echoer</title>" in page.text
    for accept in ("application/json", "*/*", ""):
        assert call("GET", "/", headers={"Accept": accept}).json == "echoer"


def test_the_page_may_load_nothing_from_elsewhere(host: Host) -> None:
    headers = call("GET", "/", headers=HTML).headers
    policy = dict(one.strip().partition(" ")[::2] for one in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    page = (FOLDER / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "<script>" not in page
    assert "<style" not in page


def test_the_page_may_connect_to_other_servers_where_they_are_configured(host: Host) -> None:
    under(host, Settings(backend=Backend.MEMORY, servers=("https://eu.example", "http://127.0.0.1:9000")))
    page = call("GET", "/", headers=HTML)
    assert "connect-src 'self' https://eu.example http://127.0.0.1:9000;" in page.headers["Content-Security-Policy"]
    assert 'name="echoer-servers" content=". https://eu.example http://127.0.0.1:9000"' in page.text


def test_every_file_of_the_page_is_served_for_ever(host: Host) -> None:
    page = (FOLDER / PAGE).read_text(encoding="utf-8")
    named = re.findall(r"\"\./console/([^\"]+)\"", page)
    assert named
    for name in {*named, *(path.name for path in FILES)}:
        reply = call("GET", f"/console/{name}")
        assert reply.status == 200, name
        assert "immutable" in reply.headers["Cache-Control"]
        assert reply.text == (FOLDER / "console" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2F..%2Fconfig.py", "..%2Findex.html", "SOURCE", "x.py", "%2Fetc%2Fpasswd"]
)
def test_no_other_file_is_served(host: Host, name: str) -> None:
    assert call("GET", f"/console/{name}").status == 404


def test_the_sizes_are_within_their_budgets() -> None:
    def packed(paths: list[Path]) -> int:
        return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)

    page = (FOLDER / PAGE).read_text(encoding="utf-8")
    first = [path for path in FILES if path.name in page]
    assert packed(first) <= 60_000
    assert packed(FILES) <= 250_000
    assert sum(path.stat().st_size for path in FILES) <= 900_000
