"""Try the console in Chromium: `make console-test`, or `python -m tests.console FILE.test.mjs` for some scenarios.

Each file of scenarios in `console/tests` gets a server of its own: it requires tokens and keeps its database in
memory. It permits pages of one other origin, and its page may call one other server; scenarios may start both at these
addresses. An action service answers what its path says. The scenarios run with Node's test runner and playwright;
Chromium is installed with apt-get if it is missing. Screenshots are in `out/console`.

`visual.mjs` compares screens with the references in `tests/console/shots`, or makes these anew (`CONSOLE_RENEW=1`):
`make console-shots-check` and `make console-shots`. Text looks different with other fonts and other versions of
Chromium, so the references hold for one machine, and only these targets play that file.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from chalicelib.config import Access, Settings
from chalicelib.service.security.tokens import sha256
from fsl.local.server import LocalServer

ROOT: Final = Path(__file__).resolve().parents[2]
TOKEN: Final = "the token of the console's admin, long enough"
OUT: Final = ROOT / "out" / "console"
REFERENCES: Final = ROOT / "tests" / "console" / "shots"
VISUAL: Final = "visual.mjs"
TIMEOUT_S: Final = 300


class Service(BaseHTTPRequestHandler):
    """Answers `/answer` with the first state of the request, and everything else with 404."""

    def do_POST(self) -> None:
        request: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        found = self.path == "/answer"
        state = (request.get("ackStates") or [""])[0]
        body = json.dumps({"ackState": state, "data": {"sent": True}}).encode() if found else b"no such path"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the standard library
        """Log nothing."""


def chromium() -> str:
    """Return the path of Chromium, which is installed if this machine has none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)  # noqa: S607
        packages = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        subprocess.run(packages, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})  # noqa: S603
        found = shutil.which("chromium")
    if found is None:
        raise SystemExit("cannot find Chromium: install the package `chromium`")
    return found


class _Services(ThreadingHTTPServer):
    daemon_threads = True


def scenarios(files: Sequence[str]) -> Iterator[Path]:
    """Yield the files of scenarios that are named, or all but the comparison of screens."""
    folder = ROOT / "console" / "tests"
    known = sorted(path.name for path in folder.glob("*.test.mjs"))
    for name in files or known:
        if name not in (*known, VISUAL):
            raise SystemExit(f"no scenarios in {name!r}: there are {', '.join(known)}")
        yield folder / name


def free_addresses(count: int) -> list[str]:
    """Return addresses of this machine at which nothing listens now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


def play(file: Path, browser: str, service: str) -> int:
    """Play the scenarios of one file on a fresh server and return the exit code of Node."""
    origin, other = free_addresses(2)
    settings = Settings(
        port=0,
        url="http://127.0.0.1:0",
        db=":memory:",
        auth=Access.TOKEN,
        admin_token_sha256=sha256(TOKEN),
        origins=(origin,),
        servers=(other,),
    )
    with LocalServer(settings) as server:
        environment = {
            **os.environ,
            "CONSOLE_URL": server.url,
            "CONSOLE_TOKEN": TOKEN,
            "CONSOLE_SERVICE": service,
            "CONSOLE_ORIGIN": origin,
            "CONSOLE_OTHER": other,
            "CONSOLE_SHOTS": str(OUT),
            "CONSOLE_REFERENCES": str(REFERENCES),
            "CHROMIUM": browser,
            "PYTHON": sys.executable,
        }
        command = ["node", "--test", "--test-reporter=spec", f"tests/{file.name}"]
        done = subprocess.run(command, cwd=ROOT / "console", env=environment, timeout=TIMEOUT_S, check=False)  # noqa: S603
    return done.returncode


def main(files: Sequence[str]) -> int:
    """Return 0 if the scenarios of all `files` pass, else 1."""
    wanted = list(scenarios(files))
    browser = chromium()
    OUT.mkdir(parents=True, exist_ok=True)
    service = _Services(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    failed = [file.name for file in wanted if play(file, browser, f"http://127.0.0.1:{service.server_address[1]}")]
    service.shutdown()
    if failed:
        sys.stderr.write(f"scenarios failed in {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
