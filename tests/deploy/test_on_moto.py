"""The template is deployed to an emulated CloudFormation, and runs are executed on its resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters import secret_references, sqs
from chalicelib.adapters.dynamodb import tables
from chalicelib.config import DEVELOPMENT_KEY
from chalicelib.entrypoints.http.openapi.examples import exchanges
from chalicelib.service.ports.queues import QueueName
from deploy.release import release
from deploy.stages import QUEUE_OF
from tests.deploy.cloud import Cloud
from tests.deploy.life import Life, live
from tests.deploy.sam import FUNCTION_URL, for_moto


@pytest.fixture(scope="module")
def life(cloud: Cloud) -> Life:
    return live(cloud)


# ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_that_was_described_is_there(cloud: Cloud) -> None:
    table = cloud.client("dynamodb").describe_table(TableName=cloud.stage.table)["Table"]
    described = tables.as_cloudformation(cloud.stage.table)[tables.LOGICAL_ID]["Properties"]
    assert table["KeySchema"] == described["KeySchema"]
    assert table["AttributeDefinitions"] == described["AttributeDefinitions"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    shown = ("IndexName", "KeySchema", "Projection")
    found = [{key: index[key] for key in shown} for index in table["GlobalSecondaryIndexes"]]
    assert found == described["GlobalSecondaryIndexes"]


def test_the_queues_that_were_described_are_there(cloud: Cloud) -> None:
    client = cloud.client("sqs")
    found = {
        queue: client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for queue, url in sqs.find_queues(client, cloud.stage.prefix).items()
    }
    for queue, attributes in found.items():
        assert int(attributes["VisibilityTimeout"]) == sqs.VISIBILITY_TIMEOUT_S[queue]
        assert int(attributes["MessageRetentionPeriod"]) == sqs.RETENTION_S
        redrive = json.loads(attributes.get("RedrivePolicy", "null"))
        dead = {"deadLetterTargetArn": found[QueueName.DEAD]["QueueArn"], "maxReceiveCount": sqs.MAX_RECEIVES}
        assert redrive == (None if queue is QueueName.DEAD else dead)


def test_every_queue_feeds_its_function_which_may_give_messages_back(cloud: Cloud) -> None:
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert [mapping["FunctionResponseTypes"] for mapping in mappings] == [["ReportBatchItemFailures"]] * 3
    assert {(function, str(queue)) for function, queue, _ in cloud.sources()} == set(QUEUE_OF.items())


def test_every_function_is_there_with_its_log_group(cloud: Cloud) -> None:
    groups = cloud.client("logs").describe_log_groups()["logGroups"]
    kept = {group["logGroupName"]: group["retentionInDays"] for group in groups}
    assert kept == {cloud.stage.log_group(name): cloud.stage.log_days for name in cloud.stage.functions}
    assert {cloud.configuration(name)["Runtime"] for name in cloud.stage.functions} == {"python3.12"}


def test_a_schedule_calls_sweep_every_minute(cloud: Cloud) -> None:
    (rule,) = cloud.client("events").list_rules()["Rules"]
    (target,) = cloud.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    assert target["Arn"] == cloud.configuration("sweep")["FunctionArn"]


def test_nothing_changes_when_the_same_is_released_again(cloud: Cloud, packaged: Path) -> None:
    release(cloud.account, cloud.stage, packaged / "cloudformation", for_moto)
    assert cloud.said[-1] == "the stack echoer-dev is up to date"


def test_only_who_signs_or_verifies_knows_where_the_webhook_key_is(cloud: Cloud) -> None:
    environments: dict[str, dict[str, Any]] = {
        name: cloud.configuration(name)["Environment"]["Variables"] for name in cloud.stage.functions
    }
    knows = {
        setting: {name for name, found in environments.items() if setting in found}
        for setting in ("ECHOER_PUBLIC_URL", "ECHOER_CALLBACK_URL", "ECHOER_WEBHOOK_KEY_REF")
    }
    assert knows == {
        "ECHOER_PUBLIC_URL": {"deliver"},
        "ECHOER_CALLBACK_URL": {"deliver", "api_handler"},
        "ECHOER_WEBHOOK_KEY_REF": {"deliver", "api_handler", "callback"},
    }
    (api,) = cloud.client("apigateway").get_rest_apis()["items"]
    address = f"https://{api['id']}.execute-api.eu-central-1.amazonaws.com/api"
    assert environments["deliver"]["ECHOER_PUBLIC_URL"] == address
    key = secret_references.read(environments["deliver"]["ECHOER_WEBHOOK_KEY_REF"])
    assert key.startswith("whsec_")
    assert key != DEVELOPMENT_KEY


# ── what lives on it ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_of_every_kind_of_step_lives_on_what_was_deployed(life: Life) -> None:
    assert life.submitted == 200
    assert life.large["spec"]["current_state"] == "done"
    assert life.history > 10


def test_actions_are_told_to_answer_to_the_function_url(life: Life) -> None:
    assert life.callback == f"{FUNCTION_URL}step"


def test_what_is_sent_to_actions_is_signed(life: Life) -> None:
    assert life.signatures == {True}


def test_steps_without_an_answer_end_at_their_deadline(life: Life) -> None:
    assert life.asked["spec"]["current_state"] == "done"


def test_undeliverable_messages_are_recorded_on_their_run(life: Life) -> None:
    assert life.lost["spec"]["current_state"] == "stopped"
    assert "its message was retried too often" in life.lost["spec"]["last_err"]


def test_a_forgotten_timer_is_found_by_the_sweep(life: Life) -> None:
    assert life.slow["spec"]["current_state"] == "stopped"


def test_a_schedule_starts_its_runs(life: Life) -> None:
    spec = life.scheduled["spec"]
    assert {(slot["outcome"], slot["status"]) for slot in spec["slots"]} == {("started", "succeeded")}
    assert spec["started"] >= 3


def test_a_hook_is_notified(life: Life) -> None:
    assert life.notified == [("echoer.run.succeeded", "told"), ("echoer.run.stuck", "stuck")]


def test_every_call_answers_as_its_example(life: Life) -> None:
    """With a token, an audit log, and DynamoDB. The examples themselves are made without them."""
    found = [(one.title, *one.call, one.status) for one in life.told]
    assert found == [(one.title, *one.call, one.status) for one in exchanges()]


def test_every_view_may_read_what_it_shows(life: Life) -> None:
    assert set(life.views.values()) == {200}, life.views
    assert all(status < 300 for status in life.deleted), life.deleted


def test_only_tokens_are_authorized(life: Life) -> None:
    """The authorizer allows all calls of the API or none, since its response is cached for all of them."""
    assert life.authorized == {"admin": "Allow", "made": "Allow", "made up": "Deny", "revoked": "Deny"}
