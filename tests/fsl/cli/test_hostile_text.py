"""Text that would control a terminal is escaped in everything that a person reads, and refused in new names."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters.memory import MemoryStore
from chalicelib.config import LogFormat, Settings
from chalicelib.model.history import Entries
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from chalicelib.model.visible_text import is_safe, visible
from chalicelib.service.ports.runs import NewRun
from fsl import api_calls
from fsl.cli import common
from fsl.cli.main import main
from fsl.client import Client, Refused
from fsl.local import story
from fsl.local.server import LocalServer
from tests.fsl.conftest import ASKING, Cli

UNSAFE = [
    "\x00", "\x07", "\x08", "\n", "\r", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x85", "\x9b2J", "\x9d0;x\x9c",
    "\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2028", "\u2029",
    "\u2066", "\u2067", "\u2068", "\u2069",
]  # fmt: skip
HOSTILE = "<" + "".join(UNSAFE) + ">"
SHOWN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NAME = "r" + HOSTILE


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server with a run of an earlier version, whose names, errors and data are hostile."""
    with LocalServer(Settings(port=0, url="http://127.0.0.1:0", db=":memory:")) as running:
        client = Client(running.url)
        client.submit(ASKING)
        client.start("ask_once", {"name": "plain"})
        assert Cli(running.url)("stop", "plain").exit_code == 0
        services = hosting.services()
        run = services.runs.load("default", "plain")
        assert run is not None
        hostile: Json = {HOSTILE: [HOSTILE]}
        entries = tuple(
            replace(entry, by=HOSTILE, error=HOSTILE, state=HOSTILE, data=hostile, vars=hostile, step=NAME)
            for entry in run.tail
        )
        made = replace(
            run, name=NAME, id="1" + run.id[1:], input=hostile, vars=hostile, labels={"l" + HOSTILE: HOSTILE},
            last_err=HOSTILE, stored_tail=Entries.of(entries), last_state=HOSTILE, status=Status.FAILED,
        )  # fmt: skip
        services.runs.create(NewRun(made))
        yield running


def lines_of(text: str) -> list[str]:
    assert not SHOWN.search(text)
    return text.splitlines()


@pytest.mark.parametrize(
    "words",
    [("list",), ("list", "flowrun"), ("get", "flowrun", NAME), ("history", NAME), ("doctor",)],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_output_holds_a_character_that_controls_a_terminal(
    server: LocalServer, words: tuple[str, ...], as_json: bool
) -> None:
    result = Cli(server.url)(*words, *(["--json"] if as_json else []))
    lines_of(result.stdout + result.stderr)
    assert result.exit_code == 0
    assert "\\u202e" in result.stdout
    if as_json:
        json.loads(result.stdout)


@pytest.mark.parametrize("as_json", [False, True])
def test_watch_prints_one_line_for_each_transition(server: LocalServer, as_json: bool) -> None:
    result = Cli(server.url)("watch", NAME, *(["--json"] if as_json else []))
    count = len(Client(server.url).history(NAME))
    assert len(lines_of(result.stdout)) == count + (0 if as_json else 1)
    assert result.stderr == ""


@pytest.mark.parametrize("words", [("get", "flowrun", HOSTILE), ("run", HOSTILE), ("graph", HOSTILE), (HOSTILE,)])
def test_errors_escape_what_was_asked_for(server: LocalServer, words: tuple[str, ...]) -> None:
    result = Cli(server.url)(*words)
    assert result.exit_code != 0
    lines_of(result.stdout + result.stderr)


@pytest.mark.parametrize("unsafe", UNSAFE, ids=ascii)
def test_the_text_log_has_one_clean_line_for_each_record(unsafe: str) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(story._Lines(colours=False))
    try:
        raise ValueError(unsafe)
    except ValueError:
        record = logging.LogRecord("echoer", logging.WARNING, "", 1, "%s and %s", (unsafe, [unsafe]), None)
        traced = logging.LogRecord("echoer", logging.ERROR, "", 1, unsafe, (), sys.exc_info())
    handler.emit(record)
    assert len(lines_of(out.getvalue())) == 1
    handler.emit(traced)
    lines_of(out.getvalue())


@pytest.mark.parametrize("form", list(LogFormat))
def test_the_log_of_a_hostile_run_is_clean(server: LocalServer, form: LogFormat) -> None:
    run = hosting.services().runs.load("default", NAME)
    assert run is not None
    out = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), logging.getLogger("echoer").level
    root.handlers.clear()
    try:
        story.configure_log("INFO", out, form)
        story.logged_store(MemoryStore(), form).runs.create(NewRun(run))
    finally:
        root.handlers[:] = before
        logging.getLogger("echoer").setLevel(level)
    assert len(lines_of(out.getvalue())) == 1


@pytest.mark.parametrize("unsafe", UNSAFE, ids=ascii)
def test_new_names_with_such_characters_are_refused(server: LocalServer, unsafe: str) -> None:
    client = Client(server.url)
    for refused in (
        lambda: client.start("ask_once", {"name": f"a{unsafe}b"}),
        lambda: client.start("ask_once", {"labels": {f"a{unsafe}b": 1}}),
        lambda: client.call(api_calls.POST_EVENT, json={"name": f"a{unsafe}b"}),
        lambda: client.call(api_calls.POST_FLOWRUN_NAME_SIGNAL, NAME, json={"name": f"a{unsafe}b"}),
        lambda: client.call(api_calls.POST_TOKEN, json={"name": f"a{unsafe}b", "role": "viewer"}),
        lambda: client.submit(f'action "a{unsafe}b" addr = "http://x/"; return = (OK); action_end'),
    ):
        with pytest.raises(Refused) as caught:
            refused()
        assert caught.value.status in (400, 422)


def test_safe_text_is_not_changed() -> None:
    text = "Grüße, שלום, 你好, e\u0301 👩‍👩‍👧"
    assert (visible(text), is_safe(text)) == (text, True)
    assert visible("a\n\tb\x1b", lines=True) == "a\n\tb\\u001b"
    assert visible("a\n") == "a\\u000a"


def test_documents_go_unchanged_into_a_pipe(tmp_path: Path) -> None:
    text = 'action a\n  addr = "http://x/\u202e";\n  return = (OK);\naction_end\n'
    assert "\u202e" in CliRunner().invoke(main, ["fmt", "-"], input=text).stdout


def test_every_line_goes_through_the_functions_that_escape() -> None:
    """`click.echo` and `print` occur only where text is escaped."""
    root = Path(common.__file__).parents[1]
    used = {
        str(path.relative_to(root)): len(re.findall(r"\bclick\.s?echo\(|\bprint\(", path.read_text()))
        for path in sorted((root / "cli").rglob("*.py"))
    }
    assert {name for name, count in used.items() if count} == {"cli/common.py"}
