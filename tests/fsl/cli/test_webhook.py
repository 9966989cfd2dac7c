"""`fsl webhook-secret`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from chalicelib.adapters import secret_references
from chalicelib.service.security.webhooks import secrets_for
from fsl.cli.main import main


def fsl(*words: str, **environment: str | None) -> Result:
    env: dict[str, str | None] = {"ECHOER_WEBHOOK_KEY": None, "ECHOER_WEBHOOK_KEY_REF": None, "ECHOER_NAMESPACE": None}
    return CliRunner().invoke(main, ["webhook-secret", *words], env={**env, **environment}, prog_name="fsl")


def test_it_prints_one_secret_per_key_and_nothing_else() -> None:
    shown = fsl(ECHOER_WEBHOOK_KEY="new old")
    assert tuple(shown.stdout.splitlines()) == secrets_for(b"new old", "default")
    assert shown.stderr == ""
    assert json.loads(fsl("--json", ECHOER_WEBHOOK_KEY="k").stdout) == list(secrets_for(b"k", "default"))


def test_it_is_of_the_namespace_that_is_named_or_set() -> None:
    expected = secrets_for(b"k", "payments")[0]
    assert fsl("--namespace", "payments", ECHOER_WEBHOOK_KEY="k").stdout == f"{expected}\n"
    assert fsl(ECHOER_WEBHOOK_KEY="k", ECHOER_NAMESPACE="payments").stdout == f"{expected}\n"
    assert fsl("--namespace", "No Name", ECHOER_WEBHOOK_KEY="k").exit_code == 2


def test_the_key_for_development_is_called_what_it_is() -> None:
    shown = fsl()
    assert shown.exit_code == 0
    assert "derived from the public development key; set ECHOER_WEBHOOK_KEY" in shown.stderr


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    secret_references.forget()
    with mock_aws():
        yield boto3.Session()
    secret_references.forget()


def test_the_key_is_read_where_a_deployment_keeps_it(aws: Any) -> None:
    aws.client("ssm").put_parameter(Name="/echoer/x/webhook-key", Value="k", Type="SecureString")
    shown = fsl(ECHOER_WEBHOOK_KEY_REF="ssm:/echoer/x/webhook-key")
    assert (shown.stdout.strip(), shown.stderr) == (secrets_for(b"k", "default")[0], "")


def test_a_reference_that_leads_nowhere_is_reported(aws: Any) -> None:
    shown = fsl(ECHOER_WEBHOOK_KEY_REF="ssm:/not/there")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "ssm:/not/there: ParameterNotFound" in shown.stderr


def test_an_invalid_setting_is_reported() -> None:
    assert fsl(ECHOER_WEBHOOK_KEY=",").exit_code == 2


def test_no_aws_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, fsl.cli.server.webhook_secret as _; "
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore', 'chalice')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own words
