"""The guide to migrate from Step Functions: its files and commands do what it shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fsl.cli.main import main
from scripts import docs

PAGE = docs.ROOT / "docs" / "migrate-from-step-functions.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page, which is the current one."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fsl(line: str) -> Result:
    return CliRunner().invoke(main, shlex.split(line)[1:])


def test_the_machine_is_imported_as_the_page_shows(folder: Path) -> None:
    result = fsl("fsl import order.asl.json")
    assert (result.exit_code, result.stdout) == (0, FILES["order.fsl"])
    assert folder.joinpath("order.fsl").exists()


def test_the_recording_is_the_same(folder: Path) -> None:
    shown = re.search(r"^\$ (fsl compare .*)\n((?:.+\n)*?)```$", TEXT, re.MULTILINE)
    assert shown
    result = fsl(shown[1])
    assert (result.exit_code, result.stdout) == (0, shown[2])
    assert fsl("fsl compare order.fsl o-1.json").exit_code == 0


def test_another_answer_is_the_difference_that_the_page_shows(folder: Path) -> None:
    changed = FILES["o-1.json"].replace('\\"total\\": 40}}', '\\"total\\": 41}}')
    folder.joinpath("o-1.json").write_text(changed, encoding="utf-8")
    result = fsl("fsl compare order.asl.json o-1.json")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] in TEXT.splitlines()


def test_the_flow_has_a_cost_and_is_exported(folder: Path) -> None:
    assert "the longest way" in fsl("fsl cost order.fsl --compare sfn --input id=o-1").stdout
    assert fsl("fsl export --asl order.fsl --output back.asl.json").exit_code == 0
    back = json.loads(folder.joinpath("back.asl.json").read_text(encoding="utf-8"))
    assert {"Price", "IsItLarge", "Ask", "Book"} <= back["States"].keys()
    result = fsl("fsl compare back.asl.json o-1.json")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "o-1: the same (succeeded)"), result.stdout


def test_the_shim_calls_services_and_takes_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("CALLBACK_URL", "https://callbacks.example")
    shim: dict[str, Any] = {}
    exec(compile(FILES["shim.py"], "shim.py", "exec"), shim)  # noqa: S102 - the page's own code
    sent: list[Any] = []
    shim["post"] = lambda address, body: sent.append((address, body))
    event = {"flowId": "r", "step": "A", "addr": "https://a.example", "args": {"n": 1}, "ackStates": ["OK"]}
    shim["call"]({**event, "token": "t", "action": "a", "method": "https"}, None)
    fields = {"flowId": "r", "stepName": "A", "ackStates": ["OK"], "uuid": "t"}
    assert sent == [("https://a.example", {"n": 1, **fields, "callbackUrl": "https://callbacks.example"})]

    tasks = Tasks()
    shim["sfn"] = tasks
    for answer in (
        {"uuid": "t", "ackState": "OK", "done": False},
        {"uuid": "t", "ackState": "OK", "data": 7},
        {"uuid": "t", "ackState": "ERROR", "error": {"name": "Late"}},
    ):
        assert shim["answered"]({"body": json.dumps(answer)}, None) == {"statusCode": 200}
    assert tasks.calls == [
        {"taskToken": "t"},
        {"taskToken": "t", "output": '{"ackState": "OK", "data": 7}'},
        {"taskToken": "t", "error": "Late", "cause": ""},
    ]


class Tasks:
    """A client of Step Functions that notes what it is given."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []

    def send_task_heartbeat(self, **given: str) -> None:
        self.calls.append(given)

    send_task_success = send_task_failure = send_task_heartbeat


def test_the_refusals_are_those_of_the_command(folder: Path) -> None:
    folder.joinpath("orders.fsl").write_text(
        """action charge
    addr   = "https://pay.example/charge";
    return = (PAID);
action_end
/
action refund
    addr   = "https://pay.example/refund";
    return = (OK);
action_end
/
flow orders


    step Charge => (PAID -> Paid) {
        action = charge;
        undo   = refund;
    };
    wait Paid => (PAID -> done | TIMEOUT -> stopped) { events = (PAID = "paid"); };
flow_end
""",
        encoding="utf-8",
    )
    result = fsl("fsl export --asl orders.fsl")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert errors
    assert set(errors) <= set(TEXT.splitlines())
