"""The README matches the program: each command of its tour prints the output that the page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
import requests

from chalicelib import language
from fsl.cli.main import main
from fsl.examples.services import ExampleServices
from tests.fsl.conftest import RELEASE, ROOT, Cli

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```\w*\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
TOUR: Final = re.search(r"^## The five-minute tour\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d{3})?( (UTC[+-]\d{4}|[A-Z]{2,5}))?")


def sessions() -> list[tuple[str, str]]:
    """Return (command, output) pairs from the terminal blocks of the tour, in order."""
    shown = [block for block in BLOCKS if block.startswith("$ ")]
    parts = [part for block in shown for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def same(text: str) -> str:
    """Return the text without times, which differ each time."""
    return MOMENT.sub("TIME", text).strip()


@pytest.fixture(scope="module")
def order(services: ExampleServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Save `order.fsl` from the tour in the working directory, with the address of one of `services`."""
    folder = tmp_path_factory.mktemp("tour")
    text = next(block for block in BLOCKS if block.startswith("action charge"))
    (folder / "order.fsl").write_text(text.replace("//127.0.0.1:18080/", f"//127.0.0.1:{services.port}/"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder / "order.fsl"


def test_the_first_program_is_right_with_the_actions_of_the_example() -> None:
    run = next(block for block in BLOCKS if block.startswith("flow_run"))
    actions = RELEASE.partition("flow_run")[0]
    found = language.read(f"{actions}\n{run}", language.KnownNames()).diagnostics
    assert [one.message for one in found if one.severity == "error"] == []


def test_the_tour_is_what_happens(fsl: Cli, order: Path) -> None:
    """Every command prints the output that the page shows; the mistake is corrected; the last waits for a person."""
    found = sessions()
    assert len(found) >= 7
    for command, printed in found:
        program, *words = shlex.split(command)
        assert program == "fsl"
        result = fsl(*words)
        assert same(result.output) == same(printed), command
        assert result.exit_code == (1 if "error" in printed else 0), command
        order.write_text(order.read_text().replace("Chrage", "Charge"))
    _the_same_over_http(fsl.url)


def _the_same_over_http(url: str) -> None:
    """The request returns the response that the page shows, also when it is repeated."""
    block = next(block for block in BLOCKS if block.startswith("POST /step"))
    shown = re.match(r"POST /step  (\{.*\})\n200 +(\{.*?\}) +# repeated: (\{.*?\})", block)
    assert shown is not None
    body, first, again = (json.loads(text) for text in shown.groups())
    tasks = requests.get(f"{url}/task", params={"flowId": body["flowId"]}, timeout=10).json()
    assert [task["stepName"] for task in tasks] == [body["stepName"]]
    body["uuid"] = tasks[0]["uuid"]
    assert requests.post(f"{url}/step", json=body, timeout=10).json() == first
    assert requests.post(f"{url}/step", json=body, timeout=10).json() == again


@pytest.mark.parametrize("page", ["README.md", "fsl/manual.md"])
def test_every_command_and_option_of_fsl_is_one(page: str) -> None:
    """Checks the commands in backticks."""
    named = re.findall(r"`fsl ([a-z-]+)([^`\n]*)`", (ROOT / page).read_text(encoding="utf-8"))
    assert named
    for name, rest in named:
        command = main.get_command(click.Context(main), name)
        assert command is not None, name
        subcommand = getattr(command, "commands", {}).get(rest.split()[0]) if rest.split() else None
        known = {
            option
            for parameter in (subcommand or command).params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) <= {*known, "--json", "--url"}, (name, rest)


def test_every_command_of_make_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", README))
    assert named
    assert named <= targets


def test_what_it_leads_to_is_there() -> None:
    named = set(re.findall(r"\]\(([^)#:]+)\)", README))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]
