"""`fsl answer`, and AWS's SDK, against the local server."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.model.step_token import StepToken
from fsl.client import Client
from fsl.local.server import LocalServer
from tests.fsl.conftest import Cli

FLOW = """action ask method = human; args = (str token); return = (YES | NO); action_end
/
flow answered
    step A => (YES -> done | NO -> stopped | ERROR -> done (output = ${ $error.name & ": " & $error.cause })) {
        action = ask; args = (token = ${ $step.token });
    };
    output = ${ $result };
flow_end"""


@pytest.fixture
def run(client: Client, request: pytest.FixtureRequest) -> str:
    client.submit(FLOW)
    name: str = client.start("answered", {"name": request.node.name})["metadata"]["name"]
    return name


def token_of(client: Client, run: str) -> str:
    return StepToken("default", run, client.get("step", f"{run}.A")["metadata"]["uuid"]).encode()


def output_of(client: Client, run: str) -> Any:
    return client.get("flowrun", run)["spec"]["output"]


def test_by_token(fsl: Cli, client: Client, run: str) -> None:
    token = token_of(client, run)
    assert fsl("answer", token, "--progress", "--data", "half").stdout == (
        "the progress was recorded; the step keeps waiting\n"
    )
    assert fsl("answer", token, "YES", "--data", '{"n": 1}').stdout == "the step was answered\n"
    assert fsl("answer", token, "NO").stdout == "the step was answered before; nothing changed\n"
    assert output_of(client, run) == {"n": 1}


def test_by_run_and_step(fsl: Cli, client: Client, run: str) -> None:
    assert fsl.json("answer", f"{run}.A", "--error", "Tired", "--cause", "it is late") == {"outcome": "advanced"}
    assert output_of(client, run) == "Tired: it is late"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["x.A", "YES"], 1),
        ([StepToken("default", "x", "0" * 32).encode(), "YES"], 1),
        (["x.A"], 2),
        (["x.A", "YES", "--progress"], 2),
        (["x.A", "YES", "--cause", "late"], 2),
    ],
)
def test_what_cannot_be_answered(fsl: Cli, words: list[str], code: int) -> None:
    assert fsl("answer", *words).exit_code == code


def test_awss_sdk_answers_the_local_server(server: LocalServer, client: Client, run: str) -> None:
    sfn = boto3.client(
        "stepfunctions",
        endpoint_url=server.url,
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    token = token_of(client, run)
    sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output='{"by": "SDK"}')
    assert output_of(client, run) == {"by": "SDK"}
    with pytest.raises(ClientError, match="TaskTimedOut"):
        sfn.send_task_success(taskToken=token, output='{"by": "SDK"}')
