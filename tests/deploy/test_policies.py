"""The calls of AWS that each function makes are recorded, and its policy allows these and no others.

The functions run on an emulated AWS that records each request as IAM sees it: the operation and the resource. They make
every call of the API, and everything in `life.py` and `rarities.py`.
`ECHOER_REGENERATE=1 pytest tests/deploy/test_policies.py` rewrites the record. Read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.stages import AUTHORIZE, CALLBACK, FUNCTIONS, QUEUE_OF, Stage
from tests.deploy.cloud import Cloud, Need, allows, grants
from tests.deploy.life import live
from tests.deploy.rarities import happen

pytestmark = pytest.mark.timeout(900)

RECORD: Final = Path(__file__).parent / "calls.json"

ALL: Final = (*FUNCTIONS, CALLBACK, AUTHORIZE)

EVENT_SOURCE: Final = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""Lambda makes these calls with the role of the function, so no test of ours can make them.
Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"."""

LOGS: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
"""Lambda writes the logs. Source: AWS Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs"."""


@dataclass(frozen=True)
class Recorded:
    """What was called, and what may be called, by the names of the functions."""

    needs: dict[str, set[Need]]
    statements: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def recorded(packaged: Path, dev: Stage) -> Recorded:
    with Cloud(dev, packaged / "cloudformation") as cloud:
        live(cloud)
        happen(cloud)
        needs = {name: found | _finding_queues(found) for name, found in cloud.needs.items()}
        return Recorded(needs, {name: cloud.policy(name) for name in ALL})


def _finding_queues(needs: set[Need]) -> set[Need]:
    """Return the look-ups of the queues that the function uses: here, functions share what one of them has found."""
    used = {need.resource for need in needs if need.action in ("sqs:SendMessage", "sqs:ChangeMessageVisibility")}
    return {Need("sqs:GetQueueUrl", queue) for queue in used}


def by_lambda(stage: Stage, function: str) -> set[Need]:
    """Return the calls that Lambda makes with the role of the function."""
    arn = "arn:aws:SERVICE:eu-central-1:123456789012:"
    needs = {Need(action, f"{arn.replace('SERVICE', 'logs')}log-group:{stage.log_group(function)}") for action in LOGS}
    if function in QUEUE_OF:
        queue = f"{arn.replace('SERVICE', 'sqs')}{stage.queue(QUEUE_OF[function])}"
        needs |= {Need(action, queue) for action in EVENT_SOURCE}
    return needs


def written(needs: dict[str, set[Need]], stage: Stage) -> str:
    """Return the record: for each function its calls, with the names of resources without account and stage."""
    calls = {
        name: sorted(f"{need.action} {_short(need.resource, stage)}" for need in found) for name, found in needs.items()
    }
    return json.dumps(calls, indent=2) + "\n"


def _short(resource: str, stage: Stage) -> str:
    name = resource.split(":", 5)[5]
    return name.replace(f"{stage.prefix}-", "").replace(stage.prefix, "echoer").replace(f"/{stage.name}/", "/")


def test_the_calls_of_each_function_are_the_recorded_ones(recorded: Recorded, dev: Stage) -> None:
    found = written(recorded.needs, dev)
    if os.environ.get("ECHOER_REGENERATE") == "1":
        RECORD.write_text(found)
    assert found.splitlines() == RECORD.read_text().splitlines()


@pytest.mark.parametrize("function", ALL)
def test_the_policy_of_a_function_allows_its_calls(recorded: Recorded, function: str) -> None:
    assert recorded.needs[function]
    statements = recorded.statements[function]
    assert {need for need in recorded.needs[function] if not allows(statements, need)} == set()


@pytest.mark.parametrize("function", ALL)
def test_the_policy_of_a_function_allows_nothing_else(recorded: Recorded, dev: Stage, function: str) -> None:
    assert grants(recorded.statements[function]) - recorded.needs[function] - by_lambda(dev, function) == set()


@pytest.mark.parametrize("function", ALL)
def test_lambda_may_do_its_part(recorded: Recorded, dev: Stage, function: str) -> None:
    assert by_lambda(dev, function) <= grants(recorded.statements[function])


def test_a_missing_permission_is_noticed(recorded: Recorded) -> None:
    table = "arn:aws:dynamodb:eu-central-1:123456789012:table/"
    assert allows(recorded.statements["deliver"], Need("dynamodb:PutItem", f"{table}echoer-dev"))
    assert not allows(recorded.statements["deliver"], Need("dynamodb:PutItem", f"{table}echoer-prod"))
    assert not allows(recorded.statements["sweep"], Need("dynamodb:PutItem", f"{table}echoer-dev"))
