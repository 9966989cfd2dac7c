"""What an invocation of a warm function costs, counted: requests to AWS, and calls of functions beside bare botocore.

Timed figures are in `bench/RESULTS.md`; those here do not depend on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from bench.bill.records import read
from bench.parts import bill
from bench.parts.bill import MB_PER_CPU, memory_setting
from chalicelib.adapters.aws_clients.first_attempt import READERS

ROOT: Final = Path(__file__).parents[2]

ADVANCE: Final = {"GetItem": 1, "SendMessageBatch": 1, "PutItem": 1}


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what was counted of each case, by its name."""
    folder = tmp_path_factory.mktemp("bill")
    with bill.service() as port:
        run("bench.bill.recorder", str(port), str(folder), "usual")
        found: dict[str, dict[str, Any]] = json.loads(run("bench.bill.breakdown", *map(str, folder.glob("*.bin"))))
    for case in map(read, folder.glob("*.bin")):
        found[case.name]["cold"] = {call.operation for call in case.cold}
    return found


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)  # noqa: S603 - our own command
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("case", "requests", "calls"),
    [
        ("start of a run", {"SendMessageBatch": 1, "PutItem": 1}, 1_900),
        ("callback through the REST API", ADVANCE, 1_650),
        ("callback through the Function URL", ADVANCE, 1_550),
        ("delivery, taken", {"GetItem": 1}, 1_000),
        ("two deliveries, answered in their responses", {"GetItem": 1, "PutItem": 2}, 2_650),
        ("timer", {"GetItem": 1}, 570),
        ("sweep that finds nothing", {"Query": 8}, 2_000),
    ],
)
def test_a_warm_function_makes_few_requests_and_fewer_calls_than_bare_botocore(
    counted: dict[str, dict[str, Any]], case: str, requests: dict[str, int], calls: int
) -> None:
    """`calls` is a little more than was counted."""
    found = counted[case]
    assert found["requests"] == requests
    assert found["calls"] <= calls
    assert found["calls"] <= 0.55 * found["floor_calls"]


def test_every_request_of_a_warm_function_and_of_a_first_start_is_made_without_botocores_client(
    counted: dict[str, dict[str, Any]],
) -> None:
    warm = {operation for found in counted.values() for operation in found["requests"]}
    assert warm | set().union(*(found["cold"] for found in counted.values())) == READERS.keys()


def test_shares_are_complete(counted: dict[str, dict[str, Any]]) -> None:
    for found in counted.values():
        assert sum(found["shares"].values()) == pytest.approx(1)
        assert sum(found["floor_shares"].values()) == pytest.approx(1)
        assert found["shares"]["botocore"] > 0


@pytest.mark.parametrize("function", ["app.app", "app.callback", "app.deliver", "app.wake"])
def test_the_memory_of_a_function_is_set_and_within_one_cpu(function: str) -> None:
    assert 128 <= memory_setting(function) <= MB_PER_CPU
