"""What the cold start of each function loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def first_request(*handler: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.deploy.first_request", *handler]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("handler", "modules"), [("app.app", 222), ("app.callback", 223), ("app.deliver", 228), ("app.wake", 206)]
)
def test_a_function_loads_only_what_it_needs_and_before_its_first_request(handler: str, modules: int) -> None:
    """`modules` is a little more than was counted: a new module on these paths is a decision."""
    found = first_request(handler)
    returned = found["returned"]
    assert returned.get("statusCode", 200) == 200
    assert returned.get("batchItemFailures", []) == []
    assert found["more"] == []
    assert len(found["loaded"]) <= modules


def test_the_first_start_of_a_run_loads_little_more() -> None:
    """It loads its view and what shows a run: no types of responses, and nothing of other calls."""
    found = first_request("app.app", "start")
    assert found["returned"]["statusCode"] == 201
    assert len(found["more"]) <= 32
    wrong = ("responses", "batches", "items", "inbox", "hooks", "views.runs", "bodies")
    assert not [name for name in found["more"] if any(word in name for word in wrong)]


def test_the_app_itself_loads_no_view_and_no_use_case() -> None:
    code = "import sys, app; print(*[name for name in sys.modules if name.startswith('chalicelib.')])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = shown.stdout.split()
    assert not [name for name in loaded if ".views." in name or name.startswith("chalicelib.engine.handlers")]
    assert len(loaded) <= 70
