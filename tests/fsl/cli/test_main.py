"""`fsl` itself: lazily loaded commands, and help by subject."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from fsl.cli.lazy import LazyCommand
from fsl.cli.main import SECTIONS, main
from fsl.client import Client, Refused
from tests.fsl.conftest import Cli

COMMANDS = [command for commands in SECTIONS.values() for command in commands]
LIGHT = ["", "list", "run", "watch", "pause", "check", "local", "token", "secret"]
HEAVY = {
    "boto3", "botocore", "chalice", "moto", "pygls", "waitress", "prompt_toolkit", "jsonschema", "requests", "rich"
}  # fmt: skip


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 28
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("listed", COMMANDS, ids=lambda command: command.name)
def test_the_summary_is_the_first_paragraph_of_the_help(listed: LazyCommand) -> None:
    command = listed.load()
    assert command.name == listed.name
    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == listed.summary


def test_help_lists_every_command_in_its_section() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert [title for title in SECTIONS if f"\n{title}:\n" in shown] == list(SECTIONS)
    for command in COMMANDS:
        assert f"  {command.name} " in shown
        assert command.summary in shown


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["lst"])
    assert result.exit_code == 2
    assert "No such command 'lst'" in result.stderr
    assert main.get_command(click.Context(main), "lst") is None


def loaded_by(*words: str) -> set[str]:
    """Return the packages that a command loads."""
    code = (
        "import sys\nfrom fsl.cli.main import main\n"
        f"main({[*words]!r}, standalone_mode=False)\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    loaded = set(ran.stdout.rpartition("MODULES ")[2].split())
    assert "click" in loaded
    return loaded


@pytest.mark.parametrize("command", LIGHT)
def test_help_of_a_command_loads_no_heavy_package(command: str) -> None:
    assert not loaded_by(*command.split(), "--help") & HEAVY


@pytest.mark.parametrize("words", [("list",), ("task",), ("history", "r"), ("get", "flowrun", "r")])
def test_a_command_in_a_pipe_loads_no_heavy_package(
    fsl: Cli, client: Client, asking: str, words: tuple[str, ...]
) -> None:
    with contextlib.suppress(Refused):
        client.start(asking, {"name": "r"})
    assert not loaded_by(*words, "--server", fsl.url) & HEAVY
