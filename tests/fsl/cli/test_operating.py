"""The chapter "Operating" of the manual: its commands run against a server, and print what the chapter shows."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from fsl.client import Client
from tests.fsl.conftest import ROOT, Cli, until

MANUAL: Final = (ROOT / "fsl" / "manual.md").read_text(encoding="utf-8")
INCIDENTS: Final = MANUAL.partition("\n### Five incidents\n")[2]
LAST: Final = "### A saga is half done"
CHAPTER: Final = INCIDENTS[: INCIDENTS.index("\n### ", INCIDENTS.index(LAST) + len(LAST))]
PART: Final = re.compile(
    r"^<!-- (?P<kind>file|edit|shop)(?P<what>[^:]*): (?P<how>.*?) -->$|^```(?P<block>fsl|console)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
DIFFERENT_EACH_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d{3})?( (UTC[+-]\d{4}|[A-Z]{2,5}))?"
    r"|[0-9a-f]{8}-[0-9a-f-]{27}|00-[0-9a-f]{32}-[0-9a-f]{16}-01|\b\d+ms\b|\b\d{8}T\d{9}-[0-9a-f]{6}\b"
)
FAILED: Final = re.compile(r"^\S+ failed: ", re.MULTILINE)
"""A line that says how a run ended: then the exit code is 1."""

ANY_LINES: Final = "..."


@dataclass
class Shop:
    """The services of the chapter. `answers`: the state or the HTTP status of each path."""

    answers: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def reply(self, path: str) -> tuple[int, Mapping[str, Any]]:
        answer = self.answers.get(path, "404")
        return (int(answer), {}) if answer.isdecimal() else (200, {"ackState": answer})


@pytest.fixture
def shop() -> Iterator[Shop]:
    found = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = found.reply(self.path.strip("/"))
            body = json.dumps(answer).encode() if answer else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@dataclass
class World:
    """A terminal in a folder with the files of the chapter, a server, and the services."""

    fsl: Cli
    shop: Shop
    file: Path
    is_paused: bool = False
    """Whether nothing is sent of an action."""

    def addressed(self, text: str) -> str:
        """Return the text with the addresses of the services in the place of those of the chapter."""
        text = text.replace("http://depot.example/ship", f"http://127.0.0.1:{self.shop.port}/depot")
        return text.replace("http://shop.example/", f"http://127.0.0.1:{self.shop.port}/")

    def shown(self, text: str) -> list[str]:
        """Return the lines without what is different each time."""
        for path, address in (("depot", "http://depot.example/ship"), ("", "http://shop.example/")):
            text = text.replace(f"http://127.0.0.1:{self.shop.port}/{path}", address)
        return [
            re.sub(r" {2,}|-{3,}", "  ", DIFFERENT_EACH_TIME.sub("*", line)).rstrip()
            for line in text.strip().split("\n")
        ]


@pytest.fixture
def world(fsl: Cli, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(fsl, shop, tmp_path / "order.fsl")


def commands(block: str) -> list[tuple[str, str]]:
    """Return the commands of a block, with what it shows after each."""
    found = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(one.partition("\n")[0], one.partition("\n")[2]) for one in found]


def test_the_incidents_are_what_happens(world: World, client: Client) -> None:
    """A line `...` stands for any lines. A command that shows nothing may print anything."""
    ran = 0
    for part in PART.finditer(CHAPTER):
        match part["kind"] or part["block"]:
            case "shop":
                world.shop.answers |= dict(pair.split(" = ") for pair in part["how"].split(", "))
            case "edit":
                before, after = part["how"].split(" => ")
                text = world.file.read_text()
                assert world.addressed(before) in text
                world.file.write_text(text.replace(world.addressed(before), world.addressed(after)))
            case "fsl":
                world.file.write_text(world.addressed(part["text"]))
            case "console":
                for command, printed in commands(part["text"]):
                    run(world, command, printed)
                    ran += 1
    assert ran >= 30
    assert {one["spec"]["status"] for one in client.page("flowrun", flow="order").items} == {"succeeded"}


def run(world: World, command: str, printed: str) -> None:
    program, *words = shlex.split(command)
    assert program == "fsl"
    result = world.fsl(*words)
    assert result.exit_code == (1 if FAILED.search(printed) else 0), (command, result.output)
    if printed.strip():
        wanted, got = world.shown(printed), world.shown(result.output)
        pattern = "\n".join(".*" if line == ANY_LINES else re.escape(line) for line in wanted)
        assert re.fullmatch(pattern, "\n".join(got), re.DOTALL), (command, result.output)
    if words[0] in ("pause", "continue"):
        world.is_paused = words[0] == "pause"
    if words[:2] == ["run", "order"] and "--wait" not in words and not world.is_paused:
        until(lambda: rests(world.fsl.json("get", "flowrun", words[words.index("--name") + 1])["spec"]))


def rests(spec: Mapping[str, Any]) -> bool:
    """Return whether a run waits for something that takes longer than a request to a service."""
    return all(one["waits_for"] and one["waits_for"]["kind"] == "retry" for one in spec["tokens"])
