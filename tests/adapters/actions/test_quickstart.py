"""The page `docs/how-to/call-an-api.md`: its flow, run as it is printed against the web server that it names."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chalicelib.adapters.actions.http_caller import HttpCaller
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.runs.start import StartOrder
from tests.hosts import NS

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "call-an-api.md").read_text(encoding="utf-8")
FLOW = re.findall(r'^```fsl title="user.fsl"\n(.*?)^```', PAGE, re.DOTALL | re.MULTILINE)[0]
USER = re.findall(r"^echo '(.*)' > users/7.json$", PAGE, re.MULTILINE)[0]


class Quiet(SimpleHTTPRequestHandler):
    """What `python3 -m http.server` serves with, without its log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Provide the port of the page's server. It is another one than the page's, which may be in use."""
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "7.json").write_text(USER)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def run_of(port: int, user: int) -> Run:
    host = VirtualHost(HttpCaller(lambda: 0))
    host.services.submitter.submit(NS, FLOW.replace("127.0.0.1:9000", f"127.0.0.1:{port}"))
    host.services.starter.start(NS, StartOrder(flow="user", name="r", input={"id": user}))
    assert host.run_until(host.clock.now())
    return host.services.reader.run(NS, "r")


def test_it_has_ten_lines() -> None:
    assert len([line for line in FLOW.splitlines() if line != "/"]) == 10


def test_a_user_is_the_output_of_the_run(port: int) -> None:
    run = run_of(port, 7)
    assert (run.status, run.output) == (Status.SUCCEEDED, {"name": "Ada", "team": "payments"})


def test_an_unknown_user_fails_the_run(port: int) -> None:
    run = run_of(port, 8)
    assert (run.status, run.last_state, run.last_event) == (Status.FAILED, "Get", "r_Get_MISSING")
