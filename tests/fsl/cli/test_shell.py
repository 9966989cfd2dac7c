"""`fsl shell`: in a pipe, and at a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from fsl.cli.server.completion import Names, ShellCompleter, offers
from fsl.cli.server.terminal import StatementBuffer, ended
from fsl.client import Client, Refused
from fsl.local.server import LocalServer
from tests.fsl.conftest import ROOT, Cli, until

BREW = 'action brew\n  addr = "http://x/brew";\n  return = (OK | BAD);\naction_end\n/\n'
TEA = "flow tea\n  step Brew => (OK -> done | BAD -> Brew) { action = brew; };\nflow_end\n/\n"


@pytest.mark.parametrize(
    ("text", "is_ended"),
    [
        ("list flow /", True),
        ("list flow/  ", True),
        ("list flow", False),
        ("action x\n/", True),
        ("action_end /", True),
        ('addr = "http://x/', False),
        ('addr = "http://x/"', False),
        ("args = (a = `{\n/", False),
        ("# see http://x/", False),
        ("/* a comment */", False),
        ("/* a comment */ /", True),
        ("/* open /", False),
        ("", False),
    ],
)
def test_where_a_statement_ends(text: str, is_ended: bool) -> None:
    """A line that ends in `/`, unless that is a part of a string or a comment."""
    assert ended(text) is is_ended


def test_statements_are_gathered_line_by_line() -> None:
    """Each is handed over at its `/`, without it; blank lines before it are none of it."""
    gathered = StatementBuffer()
    fed = [gathered.feed(line) for line in ["", "list", "  flow /", "get flow x/", "help"]]
    assert fed == [None, None, "list\n  flow", "get flow x", None]
    assert gathered.rest() == "help"
    assert gathered.rest() == ""


def test_a_piped_session(fsl: Cli) -> None:
    """Answers and nothing else: OK, a raw table, (nil), an error; exit code 1 since one failed."""
    result = fsl("shell", text=f"{BREW}{TEA}list flow /\nlist event /\nlist nothing /\nexit\nlist flow /\n")
    lines = result.stdout.splitlines()
    assert lines[:3] == ["OK", "OK", "R| "]
    assert "tea" in result.stdout
    assert lines[-3] == "(nil)"
    assert lines[-2].startswith("E| unknown type 'nothing'")
    assert lines[-1] == "Bye!"
    assert ">" not in result.stdout
    assert result.exit_code == 1


def test_what_is_wrong_with_fsl_is_shown(fsl: Cli) -> None:
    """With its line and a caret."""
    result = fsl("shell", text="flow f\n step A => (X -> Y) { action = no; };\nflow_end\n/\n")
    assert result.stdout.startswith("E| ")
    assert "^" in result.stdout


def test_a_last_statement_without_its_end_is_sent(fsl: Cli) -> None:
    """The end of the input ends it too."""
    assert fsl("shell", text="list event").stdout == "(nil)\n"
    assert fsl("shell", text="").stdout == ""


def test_json_answers(fsl: Cli) -> None:
    """An object for each statement."""
    result = fsl("shell", "--json", text="list event /\nget action no /\n")
    assert [json.loads(line)["reply"] for line in result.stdout.splitlines()] == ["NIL", "ERR"]


NAMED = """
action review method = human; args = (str id); return = (AGREE | REJECT); action_end
/
flow look input = (str id); step Review => (AGREE -> done | REJECT -> stopped) { action = review; }; flow_end
/
flow "look twice" step Again => (AGREE -> done | REJECT -> stopped) { action = review; args = (id = "1"); }; flow_end
"""


@pytest.fixture
def names(client: Client) -> Names:
    client.submit(NAMED)
    with contextlib.suppress(Refused):
        client.start("look", {"name": "tab-1", "input": {"id": "1"}})
    until(lambda: client.page("task", flowId="tab-1").items)
    return Names(client)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mig", ["migrate"]),
        ("sched", ["schedule"]),
        ("list sch", ["schedule"]),
        ("get flow loo", ["look"]),
        ("get flow `lo", ["`look twice`"]),
        ("run look tw", []),
        ("pause tab", ["tab-1"]),
        ("pause sche", ["schedule"]),
        ("pause flow loo", ["look"]),
        ("retry tab-1 R", ["Review"]),
        ("retry tab-1 --v", ["--var", "--version"]),
        ("goto tab-1 ", ["Review"]),
        ("answer tab", ["tab-1.Review"]),
        ("answer tab-1.Review ", ["AGREE", "REJECT"]),
        ("task tab-", ["tab-1"]),
        ("help mig", ["migrate"]),
        ("nothing x", []),
    ],
)
def test_tab_completes_commands_and_names(names: Names, line: str, offered: list[str]) -> None:
    found = ShellCompleter(names).get_completions(Document(line), CompleteEvent())
    assert [one.text for one in found] == offered


def test_names_are_kept_for_some_seconds(client: Client, names: Names) -> None:
    now = [0.0]
    kept = Names(client, lambda: now[0])
    before = kept.of("flow")
    client.submit(f'flow "{len(before)} more" set A => (); flow_end')
    assert kept.of("flow") == before
    now[0] = 6.0
    assert len(kept.of("flow")) == len(before) + 1


def test_a_server_that_does_not_answer_has_no_names() -> None:
    names = Names(Client("http://127.0.0.1:9"))
    assert offers(["get", "flow"], "", names) == []
    assert offers([], "fl", names) == ["flow", "flow_run"]


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, url: str, history: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "fsl.cli.main", "shell", "--server", url],
            cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "ECHOER_HISTORY": str(history)},
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._master, False)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def shows(self, text: str) -> bool:
        """Waits until the terminal shows the text, behind what was asked for before."""
        until(lambda: text in self._look(), 15)
        self.seen = self.seen.partition(text)[2]
        return True

    def _look(self) -> str:
        with contextlib.suppress(OSError):  # nothing yet; or the other end is closed
            self.seen += os.read(self._master, 65536).decode(errors="replace")
        return self.seen


def test_a_session_at_a_terminal(server: LocalServer, tmp_path: Path) -> None:
    """Banner, prompt, statements over many lines, several pasted at once, Ctrl-C, exit, and a history that is kept."""
    terminal = Terminal(server.url, tmp_path / "history")
    assert terminal.shows("echoer\r\n")
    assert terminal.shows(">")
    terminal.type("list\r event /\r")
    assert terminal.shows("(nil)")
    terminal.type("hist\t")
    assert terminal.shows("ory")
    terminal.type("\x03")
    terminal.type("garbage\x03")
    terminal.type("\x1b[200~list event /\nlist nothing /\n\x1b[201~\r")
    assert terminal.shows("(nil)")
    assert terminal.shows("E| unknown type 'nothing'")
    terminal.type("exit\r")
    assert terminal.shows("Bye!")
    assert terminal.process.wait(10) == 0
    assert "list event /" in (tmp_path / "history").read_text().replace("+", "")


def test_ctrl_d_leaves(server: LocalServer, tmp_path: Path) -> None:
    """Ctrl-D ends the session like `exit`, even if the history cannot be stored."""
    terminal = Terminal(server.url, tmp_path / "nowhere" / "history")
    assert terminal.shows(">")
    terminal.type("\x04")
    assert terminal.shows("Bye!")
    assert terminal.process.wait(10) == 0
