"""Golden texts: machines, and the flows that they become, with the problems that are reported above them.

`ECHOER_REGENERATE=1 pytest tests/asl/convert` rewrites them. Read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.asl.convert import convert

HERE = Path(__file__).parent / "golden"
MACHINES = sorted(HERE.glob("*.asl.json"))


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name.split(".")[0])
def test_a_machine_becomes_the_flow_in_its_golden_file(path: Path) -> None:
    made = convert(json.loads(path.read_text()), path.name.split(".")[0], operations=ALL_OPERATIONS("default"))
    problems = "".join(f"# {one.level} {one.pointer}: {one.message}\n" for one in made.problems)
    golden = path.with_name(f"{path.name.split('.')[0]}.fsl")
    if os.environ.get("ECHOER_REGENERATE") == "1":
        golden.write_text(problems + made.text, encoding="utf-8")
    assert problems + made.text == golden.read_text(encoding="utf-8")


def test_there_are_golden_files() -> None:
    assert len(MACHINES) >= 3
