"""Stages and policies before Chalice processes them, secrets, and the checks of a release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from moto import mock_aws

from chalicelib import config
from chalicelib.adapters import secret_references
from chalicelib.adapters.telemetry.metrics import UNITS
from chalicelib.config import Access, BadSetting
from chalicelib.service.errors import Busy
from deploy import cloudformation, policies, release, stages, terraform, watch
from deploy.account import Account
from deploy.stages import AUTHORIZE, CALLBACK, FUNCTIONS, BadStage, Document, NoSuchStage, Stage
from tests.fakes import FakeClock


def _configured(**environment: str) -> Document:
    configured = stages.configuration()
    configured["stages"]["x"] = {"log_retention_in_days": 1, "environment_variables": environment}
    return configured


@pytest.mark.parametrize("name", stages.configuration()["stages"])
def test_every_stage_can_be(name: str) -> None:
    stage = stages.stage(name, stages.configuration())
    assert stage.table == stage.prefix == f"echoer-{name}"
    documented = re.findall(r"ECHOER_[A-Z0-9_]+", config.__doc__ or "")
    assert stage.settings.keys() <= set(documented)


def test_a_stage_must_be_known() -> None:
    with pytest.raises(NoSuchStage, match="it has dev, prod"):
        stages.stage("prdo", stages.configuration())


def test_no_secret_goes_into_a_template() -> None:
    for variable in ("ECHOER_WEBHOOK_KEY", "ECHOER_SECRETS_KEY"):
        with pytest.raises(BadStage, match=f"{variable}_REF"):
            stages.stage("x", _configured(**{variable: "s3cret"}))


def test_no_key_of_a_collectors_backend_goes_into_a_template() -> None:
    with pytest.raises(BadStage, match="OTEL_EXPORTER_OTLP_HEADERS must not be set: it is a secret"):
        stages.stage("x", _configured(OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cret"))


@pytest.mark.parametrize("variable", ["ECHOER_TABLE", "ECHOER_METRICS_NAMESPACE"])
def test_what_follows_from_the_name_is_not_set(variable: str) -> None:
    with pytest.raises(BadStage, match="is derived from the stage's name"):
        stages.stage("x", _configured(**{variable: "other"}))


def test_a_setting_that_cannot_be_is_noticed_before_anything_is_built() -> None:
    with pytest.raises(BadSetting, match="ECHOER_STEP_TIMEOUT"):
        stages.stage("x", _configured(ECHOER_STEP_TIMEOUT="soon"))


def test_the_authentication_comes_from_the_stage_and_not_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHOER_AUTH", "open")
    monkeypatch.setenv("ECHOER_ORIGINS", "https://console.example")
    for said, gate, functions in (
        ({}, Access.TOKEN, (*FUNCTIONS, CALLBACK, AUTHORIZE)),
        ({"ECHOER_AUTHORIZER": "off"}, Access.OPEN, (*FUNCTIONS, CALLBACK)),
        ({"ECHOER_AUTH": "iam"}, Access.IAM, (*FUNCTIONS, CALLBACK)),
        ({"ECHOER_AUTH": "open", "ECHOER_FUNCTION_URL": "off", **BY_API}, Access.OPEN, FUNCTIONS),
    ):
        stage = stages.stage("x", _configured(**said))
        assert (stage.gate, stage.functions) == (gate, functions)
        for_chalice = stages.for_chalice(_configured(**said), stage)["stages"]["x"]["environment_variables"]
        assert for_chalice.keys() >= {
            "ECHOER_AUTH",
            "ECHOER_AUTHORIZER",
            "ECHOER_CALLBACKS",
            "ECHOER_FUNCTION_URL",
        }
        assert (stage.origins, for_chalice["ECHOER_ORIGINS"]) == ((), "")


def test_a_domain_of_ones_own_is_where_actions_answer() -> None:
    """Unless the stage says where they answer: its own setting counts more than the default of all stages."""
    own = {"ECHOER_PUBLIC_URL": "https://echoer.example"}
    assert _told(_configured(**own)) == (own, {}, False)
    url = {"ECHOER_CALLBACK_URL": {"Fn::GetAtt": ["CallbackUrl", "FunctionUrl"]}}
    assert _told(_configured(**own, ECHOER_CALLBACK_URL="function-url")) == ({**own, **url}, url, True)


# ── where actions answer ─────────────────────────────────────────────────────────────────────────────────────────────

BY_API: Final = {"ECHOER_CALLBACK_URL": "api"}


def _told(configured: Document) -> tuple[Document, Document, bool]:
    """Return the URLs that `deliver` is told, where the API shows that actions answer, and if there is a Function URL.

    Both forms must agree on it.
    """
    stage = stages.stage("x", configured)
    resources = cloudformation.template(stage)["Resources"]
    deliver, api = (
        {
            name: value
            for name, value in resources[function]["Properties"]["Environment"]["Variables"].items()
            if name in ("ECHOER_PUBLIC_URL", "ECHOER_CALLBACK_URL")
        }
        for function in ("Deliver", "APIHandler")
    )
    found = {kind for kind in ("CallbackUrl", "Callback", "CallbackLogGroup") if kind in resources}
    assert len(found) in (0, 3)
    by_terraform = terraform.additions(stage)
    assert ("callback_url" in by_terraform["resource"].get("aws_cloudformation_stack", {})) is bool(found)
    assert ("CallbackUrl" in by_terraform["output"]) is bool(found)
    assert (stage.settings["ECHOER_FUNCTION_URL"] == "on") is bool(found)
    api.pop("ECHOER_PUBLIC_URL", None)
    return deliver, api, bool(found)


API: Final = {"ECHOER_PUBLIC_URL": {"Fn::Sub": "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"}}
URL: Final = {"ECHOER_CALLBACK_URL": {"Fn::GetAtt": ["CallbackUrl", "FunctionUrl"]}}
OWN: Final = {"ECHOER_CALLBACK_URL": "https://answers.example"}


@pytest.mark.parametrize(
    ("given", "deliver", "api", "has_url"),
    [
        ({}, {**API, **URL}, URL, True),
        ({"ECHOER_CALLBACK_URL": " Function-URL "}, {**API, **URL}, URL, True),
        (BY_API, API, {}, True),
        ({**BY_API, "ECHOER_FUNCTION_URL": "off"}, API, {}, False),
        ({"ECHOER_CALLBACK_URL": ""}, API, {}, False),
        ({"ECHOER_CALLBACK_URL": "", "ECHOER_FUNCTION_URL": "on"}, API, {}, True),
        (OWN, {**API, **OWN}, OWN, True),
        ({**OWN, "ECHOER_FUNCTION_URL": "off"}, {**API, **OWN}, OWN, False),
        ({"ECHOER_CALLBACK_URL": "https://answers.example/step/"}, {**API, **OWN}, OWN, True),
    ],
)
def test_a_stage_says_where_actions_answer_and_keeps_its_function_url(
    given: dict[str, str], deliver: Document, api: Document, has_url: bool
) -> None:
    """Deliveries that named the Function URL are still answered there when new ones name something else."""
    assert _told(_configured(**given)) == (deliver, api, has_url)


def test_a_stage_of_before_keeps_the_api() -> None:
    """Its configuration has no default for all stages."""
    configured = _configured()
    del configured["environment_variables"]
    assert _told(configured) == (API, {}, False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ECHOER_CALLBACK_URL": "functionurl"}, "must be function-url, api or a URL"),
        ({"ECHOER_CALLBACK_URL": "https://"}, "must be an http:// or https:// URL of a host"),
        ({"ECHOER_FUNCTION_URL": "off"}, "ECHOER_CALLBACK_URL=function-url needs ECHOER_FUNCTION_URL=on"),
        ({"ECHOER_FUNCTION_URL": "yes"}, "ECHOER_FUNCTION_URL=yes: must be one of on, off"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_built(given: dict[str, str], told: str) -> None:
    with pytest.raises((BadStage, BadSetting), match=told):
        stages.stage("x", _configured(**given))


def test_settings_of_all_stages_are_checked_as_those_of_one() -> None:
    configured = _configured()
    configured["environment_variables"]["ECHOER_WEBHOOK_KEY"] = "s3cret"
    with pytest.raises(BadStage, match="ECHOER_WEBHOOK_KEY_REF"):
        stages.stage("x", configured)
    configured["environment_variables"] = {"ECHOER_LOG": "debug"}
    stage = stages.stage("x", configured)
    for_chalice = stages.for_chalice(configured, stage)
    assert "environment_variables" not in for_chalice
    assert for_chalice["stages"]["x"]["environment_variables"]["ECHOER_LOG"] == "debug"


# ── other settings ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_metrics_are_on_unless_a_stage_says_otherwise() -> None:
    stage, silent = stages.stage("x", _configured()), stages.stage("x", _configured(ECHOER_METRICS="off"))
    assert (stage.counts, silent.counts) == (True, False)
    assert stage.metrics == stage.settings["ECHOER_METRICS_NAMESPACE"] == "Echoer/x"
    titles = [
        {widget["properties"]["title"] for widget in json.loads(watch.dashboard(each, "r"))["widgets"]}
        for each in (stage, silent)
    ]
    assert titles[0] - titles[1] >= {"Runs", "Deliveries", "Answers"}


def test_what_the_dashboard_shows_is_counted(dev: Stage) -> None:
    widgets = json.loads(watch.dashboard(dev, "r"))["widgets"]
    shown = {metric[1] for widget in widgets for metric in widget["properties"]["metrics"] if metric[0] == dev.metrics}
    assert len(shown) > 10
    assert shown <= {*UNITS, watch.OVERDUE}


@pytest.mark.parametrize(
    ("level", "metrics", "passed"),
    [("debug", "emf", "DEBUG"), ("warning", "emf", "INFO"), ("error", "emf", "INFO"), ("warning", "off", "WARN")],
)
def test_lambda_lets_lines_of_metrics_through(level: str, metrics: str, passed: str) -> None:
    stage = stages.stage("x", _configured(ECHOER_LOG=level, ECHOER_METRICS=metrics))
    assert cloudformation.log_level(stage) == passed


def test_a_stage_with_an_endpoint_brings_what_traces_need() -> None:
    assert stages.stage("x", _configured()).requirements == ("requirements.txt",)
    traced = stages.stage("x", _configured(ECHOER_OTLP_ENDPOINT="https://otlp.example"))
    assert traced.requirements == ("requirements.txt", "requirements-traces.txt")
    assert all((stages.ROOT / name).is_file() for name in traced.requirements)


def test_a_secret_of_secrets_manager_is_read_by_those_who_sign_and_verify_alone() -> None:
    stage = stages.stage("x", _configured(ECHOER_WEBHOOK_KEY_REF="secretsmanager:echoer#key"))
    readers = {name for name in stage.functions if "secretsmanager" in json.dumps(cloudformation.policy(stage, name))}
    assert readers == {"deliver", "api_handler", "callback"}
    (read,) = [each for each in cloudformation.policy(stage, "deliver")["Statement"] if "Webhook" in each["Sid"]]
    assert read["Action"] == "secretsmanager:GetSecretValue"
    assert read["Resource"]["Fn::Sub"].endswith(":secret:echoer-??????")


def test_a_reference_must_name_a_place() -> None:
    with pytest.raises(BadStage, match="must be ssm:NAME"):
        policies.key_places({"key": "vault:x"}, "arn")


def test_the_key_of_secrets_is_readable_by_all_functions_that_advance_runs() -> None:
    stage = stages.stage("x", _configured(ECHOER_SECRETS_KEY_REF="secretsmanager:sealing"))
    readers = {name for name in stage.functions if "secret:sealing" in json.dumps(cloudformation.policy(stage, name))}
    assert readers == {*stage.functions} - {"sweep", "authorize"}


def test_queues_functions_and_event_buses_are_allowed_by_name() -> None:
    queue, function = "arn:aws:sqs:eu-central-1:1:jobs", "arn:aws:lambda:eu-central-1:1:function:job"
    bus = "arn:aws:events:eu-central-1:1:event-bus/ops"
    assert [(each["Action"], each["Resource"]) for each in policies.of_actions([bus, function, queue])] == [
        (["sqs:GetQueueUrl", "sqs:SendMessage"], [queue]),
        (["lambda:InvokeFunction"], [function]),
        (["events:PutEvents"], [bus]),
    ]


@pytest.mark.parametrize("arn", ["*", "jobs", "arn:aws:s3:::bucket", "arn:aws:sqs:eu-central-1:1:*"])
def test_nothing_else_is_an_action(arn: str) -> None:
    with pytest.raises(BadStage, match="action_arns"):
        policies.of_actions([arn])


READ: Final = {"Action": ["dynamodb:GetItem"], "Resource": "arn:aws:dynamodb:eu-central-1:1:table/orders"}


def test_operations_that_actions_call_are_allowed_to_the_function_that_delivers_and_to_no_other() -> None:
    configured = _configured(ECHOER_AWS_CALLS="dynamodb:getItem")
    before = {name: cloudformation.policy(stages.stage("x", configured), name) for name in FUNCTIONS}
    configured["stages"]["x"]["action_statements"] = [READ]
    stage = stages.stage("x", configured)
    after = {name: cloudformation.policy(stage, name) for name in FUNCTIONS}
    assert {name for name in FUNCTIONS if after[name] != before[name]} == {"deliver"}
    assert after["deliver"]["Statement"][-1] == {"Sid": "CallOperations1", "Effect": "Allow", **READ}
    assert terraform.policy(stage, "deliver")["Statement"][-1] == after["deliver"]["Statement"][-1]
    assert "action_statements" not in json.dumps(stages.for_chalice(configured, stage))


@pytest.mark.parametrize(
    "changed",
    [
        {"Action": "*"},
        {"Action": ["dynamodb:*"]},
        {"Action": []},
        {"Resource": None},
        {"Principal": "*"},
        {"Action": [1]},
    ],
)
def test_a_statement_names_its_operations(changed: dict[str, Any]) -> None:
    with pytest.raises(BadStage, match="action_statements: statement 1"):
        policies.of_calls([], [{**READ, **changed}])


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    secret_references.forget()
    with mock_aws():
        yield boto3.Session()
    secret_references.forget()


def test_secrets_are_read_where_they_are_kept(aws: Any) -> None:
    aws.client("ssm").put_parameter(Name="/echoer/x", Value="one", Type="SecureString")
    aws.client("secretsmanager").create_secret(Name="plain", SecretString="two")
    aws.client("secretsmanager").create_secret(Name="fields", SecretString='{"key": "three"}')
    references = ["ssm:/echoer/x", "secretsmanager:plain", "secretsmanager:fields#key"]
    assert [secret_references.read(reference) for reference in references] == ["one", "two", "three"]


def test_a_secret_is_cached_and_a_change_is_noticed(aws: Any, caplog: pytest.LogCaptureFixture) -> None:
    ssm, time = aws.client("ssm"), FakeClock(0)

    def read() -> str:
        return secret_references.read("ssm:/echoer/x", now=lambda: float(time.now()))

    ssm.put_parameter(Name="/echoer/x", Value="one", Type="SecureString")
    assert read() == "one"
    ssm.put_parameter(Name="/echoer/x", Value="two", Type="SecureString", Overwrite=True)
    time.advance(int(secret_references.MAX_AGE_S) - 1)
    assert read() == "one"
    time.advance(1)
    assert read() == "two"
    ssm.delete_parameter(Name="/echoer/x")
    time.advance(int(secret_references.MAX_AGE_S))
    assert [read(), read()] == ["two", "two"]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "echoer.secrets"]
    assert line == "secret ssm:/echoer/x: ParameterNotFound; the cached value is used"
    time.advance(int(secret_references.RETRY_AFTER_S))
    ssm.put_parameter(Name="/echoer/x", Value="three", Type="SecureString")
    assert read() == "three"


NO_SECRETS = ("ssm:/not/there", "secretsmanager:no", "ssm:", "vault:x", "secretsmanager:plain#a")


@pytest.mark.parametrize("reference", NO_SECRETS)
def test_an_invalid_secret_is_reported_by_its_reference_alone(aws: Any, reference: str) -> None:
    aws.client("secretsmanager").create_secret(Name="plain", SecretString="two")
    with pytest.raises(secret_references.NoSecret) as caught:
        secret_references.read(reference)
    assert reference in str(caught.value)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "GetParameter"), Busy),
        (ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter"), secret_references.NoSecret),
        (ReadTimeoutError(endpoint_url="https://ssm"), Busy),
        (EndpointConnectionError(endpoint_url="https://ssm"), Busy),
        (NoCredentialsError(), secret_references.NoSecret),
    ],
)
def test_a_secret_that_is_throttled_is_asked_for_again(error: Any, expected: type[Exception]) -> None:
    """Many containers that start together read more than Parameter Store takes by default."""
    assert type(secret_references.failure("ssm:/echoer/x", error)) is expected


# ── a release ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keys_are_made_once(aws: Any, dev: Stage) -> None:
    said: list[str] = []
    made: dict[str, str] = {}
    account = Account(aws, said.append)
    first = release.make_admin(account, dev)
    for reference, what in [(dev.keys[name], what) for name, what in release.KEYS.items()] * 2:
        release.make_key(account, reference, what)
        secret_references.forget()
        made.setdefault(reference, secret_references.read(reference))
    assert release.make_admin(account, dev) == first
    assert {reference: secret_references.read(reference) for reference in made} == made
    assert len({*made.values()}) == len(made) == 2
    assert len(said) == 3
    assert aws.client("ssm").get_parameter(Name=dev.admin_token)["Parameter"]["Type"] == "SecureString"


def test_the_bucket_is_private(aws: Any) -> None:
    account = Account(aws, lambda _: None)
    release.make_bucket(account)
    release.make_bucket(account)
    closed = aws.client("s3").get_public_access_block(Bucket=account.bucket)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    assert release.keep(account, b"same", "zip") == release.keep(account, b"same", "zip")
