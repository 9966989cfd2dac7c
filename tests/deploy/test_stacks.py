"""What `make deploy` and `make remove` say when something is missing or in the way, and how a stack is followed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from deploy import release, remove, stacks, stages
from deploy.account import Account, NotDeployed, connect
from deploy.stages import Document, Stage

TOPIC: Document = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process without credentials and region."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def account(nothing: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        said: list[str] = []
        yield Account(boto3.Session(), said.append)


def _change(account: Account, template: Document, name: str = "echoer-x") -> Document:
    release.make_bucket(account)
    key = release.keep(account, json.dumps(template).encode(), "json")
    return stacks.change(account, name, account.address(key), {})


@pytest.mark.usefixtures("nothing")
def test_a_missing_region_is_said() -> None:
    with pytest.raises(NotDeployed, match="no region: set AWS_REGION"):
        connect(lambda _: None)


@pytest.mark.usefixtures("nothing")
def test_missing_credentials_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(NotDeployed, match="no AWS credentials: set AWS_PROFILE"):
        connect(lambda _: None)


@pytest.mark.usefixtures("nothing")
def test_a_profile_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(NotDeployed, match="nowhere"):
        connect(lambda _: None)


@pytest.mark.usefixtures("account")
def test_the_account_and_the_region_are_said() -> None:
    said: list[str] = []
    connect(said.append)
    assert said == ["account 123456789012, region eu-central-1"]


@pytest.mark.usefixtures("account")
def test_aws_region_counts_more_than_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert connect(lambda _: None).session.region_name == "eu-west-1"


def test_the_template_has_a_path_style_address(account: Account) -> None:
    assert account.address("k") == "https://s3.eu-central-1.amazonaws.com/echoer-deploy-123456789012-eu-central-1/k"


def test_a_stack_is_created_left_alone_updated_and_deleted(account: Account) -> None:
    _change(account, TOPIC)
    assert len(account.client("sns").list_topics()["Topics"]) == 1
    second = {**TOPIC, "Resources": {**TOPIC["Resources"], "Other": {"Type": "AWS::SNS::Topic"}}}
    _change(account, second)
    assert len(account.client("sns").list_topics()["Topics"]) == 2
    assert stacks.status(account, "echoer-x") == "UPDATE_COMPLETE"
    stacks.remove(account, "echoer-x")
    assert account.client("sns").list_topics()["Topics"] == []
    assert stacks.status(account, "echoer-x") is None


def _function_urls(account: Account, **settings: str) -> bool:
    """Return whether `make deploy` would deploy a stage with these settings with a Function URL."""
    configured = stages.configuration()
    configured["stages"]["x"] = {"log_retention_in_days": 1, "environment_variables": settings}
    return stages.stage("x", release.configured_for(account, "x", configured)).has_function_url


def test_a_new_stage_has_a_function_url(account: Account) -> None:
    assert _function_urls(account)
    assert not _function_urls(account, ECHOER_CALLBACK_URL="")


def test_a_stage_that_was_deployed_without_a_function_url_keeps_the_api_until_it_says_otherwise(
    account: Account,
) -> None:
    said: list[str] = []
    account = Account(account.session, said.append)
    _change(account, TOPIC)
    assert not _function_urls(account)
    assert said[-1].startswith("actions of the stage x answer at API Gateway, as before; ECHOER_CALLBACK_URL=function")
    assert _function_urls(account, ECHOER_CALLBACK_URL="function-url")
    _change(account, {"Resources": {**TOPIC["Resources"], "CallbackUrl": {"Type": "AWS::SNS::Topic"}}})
    assert _function_urls(account)


def test_what_is_not_there_is_not_deleted(account: Account) -> None:
    with pytest.raises(NotDeployed, match="there is no stack echoer-x in this account and region"):
        stacks.remove(account, "echoer-x")


def test_a_table_that_remains_is_said_before_anything_is_packaged(account: Account, dev: Stage) -> None:
    stacks.check(account, dev.prefix, dev.table)
    account.client("dynamodb").create_table(
        TableName=dev.table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    with pytest.raises(NotDeployed, match="the table echoer-dev remains of an earlier stack echoer-dev"):
        stacks.check(account, dev.prefix, dev.table)
    _change(account, TOPIC, dev.prefix)
    stacks.check(account, dev.prefix, dev.table)


def test_what_remains_is_said(account: Account, dev: Stage) -> None:
    _change(account, TOPIC, dev.prefix)
    said: list[str] = []
    remove.remove(Account(account.session, said.append), dev)
    assert said[0] == "deleting the stack echoer-dev ..."
    for name in ("table echoer-dev", "ssm:/echoer/dev/secrets-key", "/echoer/dev/admin-token", "echoer-deploy-1"):
        assert name in said[-1]
