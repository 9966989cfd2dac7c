"""The Terraform form: Chalice's `chalice.tf.json`, unchanged, and two more files.

`echoer.tf.json` has the resources that Chalice does not generate. `echoer_override.tf.json` changes those that it does:
Terraform merges an override file into the blocks of the others, argument by argument (Terraform Language, "Override
Files").
"""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb import tables
from chalicelib.service.ports.queues import QueueName
from deploy import function_url, gateway, policies, stages, watch
from deploy.cloudformation import log_level
from deploy.stages import QUEUE_OF, RUNTIME, Document, Stage
from deploy.watch import Alarm

VERSIONS: Final = {"required_version": ">= 1.5", "required_providers": {"aws": {"version": ">= 5.32, < 6"}}}
"""Chalice's own bounds include versions without this runtime and log format. Version 6 removed what Chalice uses."""

_REGION: Final = "${data.aws_region.chalice.name}"
_ACCOUNT: Final = "${data.aws_caller_identity.chalice.account_id}"
_ARN: Final = f"arn:${{data.aws_partition.chalice.partition}}:SERVICE:{_REGION}:{_ACCOUNT}"
_TOPIC: Final = "${aws_sns_topic.alarms.arn}"
_CALLBACK_URL: Final = f'${{aws_cloudformation_stack.callback_url.outputs["{function_url.URL}"]}}'


def policy(stage: Stage, function: str) -> Document:
    """Return the function's policy."""
    places = {
        "table": "${aws_dynamodb_table.echoer.arn}",
        **{str(queue): f"${{aws_sqs_queue.{queue}.arn}}" for queue in QueueName},
        "logs": f"${{aws_cloudwatch_log_group.{function}.arn}}:*",
        **policies.key_places(stage.keys, _ARN),
    }
    document = policies.render(function, places)
    called = policies.of_calls(stage.actions, stage.statements) if function == "deliver" else []
    return {**document, "Statement": [*document["Statement"], *called]}


# ── additions to Chalice's file ──────────────────────────────────────────────────────────────────────────────────────


def additions(stage: Stage) -> Document:
    """Return `echoer.tf.json`."""
    overdue = {"namespace": stage.metrics, "name": watch.OVERDUE, "value": "$.overdue"}
    resources: Document = {
        "aws_dynamodb_table": {"echoer": _table(stage)},
        "aws_sqs_queue": _queues(stage),
        "aws_cloudwatch_log_group": {
            name: {"name": stage.log_group(name), "retention_in_days": stage.log_days} for name in stage.functions
        },
        "aws_sns_topic": {"alarms": {"name": f"{stage.prefix}-alarms"}},
        "aws_cloudwatch_metric_alarm": {alarm.name: _alarm(stage, alarm) for alarm in watch.alarms(stage)},
        "aws_cloudwatch_dashboard": {
            "echoer": {"dashboard_name": stage.prefix, "dashboard_body": watch.dashboard(stage, _REGION)}
        },
        "aws_cloudwatch_log_metric_filter": {
            "overdue": {
                "name": "overdue-runs",
                "log_group_name": "${aws_cloudwatch_log_group.sweep.name}",
                "pattern": watch.OVERDUE_PATTERN,
                "metric_transformation": overdue,
            }
        },
    }
    outputs: Document = {"AlarmTopic": {"value": _TOPIC}}
    if stage.has_function_url:
        resources["aws_cloudformation_stack"] = {"callback_url": _callback_url(stage)}
        outputs[function_url.URL] = {"value": _CALLBACK_URL}
    admin = {"type": "string", "description": "SHA-256 of the first admin's token, in hex"}
    return {"variable": {"admin_token_sha256": admin}, "resource": resources, "output": outputs}


def _callback_url(stage: Stage) -> Document:
    """Return a stack with the Function URL: the provider has its second permission since 6.29, and Chalice needs 5."""
    return {
        "name": f"{stage.prefix}-callback-url",
        "template_body": json.dumps(function_url.template(stage)),
        "parameters": {"Function": f"${{aws_lambda_function.{stages.CALLBACK}.function_name}}"},
    }


def _table(stage: Stage) -> Document:
    made = tables.as_cloudformation(stage.table)[tables.LOGICAL_ID]["Properties"]
    hash_key, range_key = _keys(made)
    return {
        "name": made["TableName"],
        "billing_mode": made["BillingMode"],
        "hash_key": hash_key,
        "range_key": range_key,
        "attribute": [
            {"name": each["AttributeName"], "type": each["AttributeType"]} for each in made["AttributeDefinitions"]
        ],
        "global_secondary_index": [_index(each) for each in made["GlobalSecondaryIndexes"]],
        "ttl": {
            "attribute_name": made["TimeToLiveSpecification"]["AttributeName"],
            "enabled": made["TimeToLiveSpecification"]["Enabled"],
        },
        "point_in_time_recovery": {"enabled": made["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]},
        "server_side_encryption": {"enabled": made["SSESpecification"]["SSEEnabled"]},
        "lifecycle": {"prevent_destroy": True},
    }


def _index(made: Document) -> Document:
    hash_key, range_key = _keys(made)
    projection = made["Projection"]["ProjectionType"]
    return {"name": made["IndexName"], "hash_key": hash_key, "range_key": range_key, "projection_type": projection}


def _keys(made: Document) -> tuple[str, str]:
    hash_key, range_key = made["KeySchema"]
    return hash_key["AttributeName"], range_key["AttributeName"]


def _queues(stage: Stage) -> Document:
    made = sqs.queues_as_cloudformation(stage.prefix)
    return {str(queue): _queue(made[sqs.logical_id(queue)]["Properties"]) for queue in QueueName}


def _queue(made: Document) -> Document:
    queue: Document = {
        "name": made["QueueName"],
        "visibility_timeout_seconds": made["VisibilityTimeout"],
        "message_retention_seconds": made["MessageRetentionPeriod"],
        "sqs_managed_sse_enabled": made["SqsManagedSseEnabled"],
    }
    if "RedrivePolicy" in made:
        dead = f"${{aws_sqs_queue.{QueueName.DEAD}.arn}}"
        redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": made["RedrivePolicy"]["maxReceiveCount"]}
        queue["redrive_policy"] = json.dumps(redrive)
    return queue


def _alarm(stage: Stage, alarm: Alarm) -> Document:
    return {
        "alarm_name": f"{stage.prefix}-{alarm.name}",
        "alarm_description": alarm.description,
        "alarm_actions": [_TOPIC],
        "ok_actions": [_TOPIC],
        "namespace": alarm.namespace,
        "metric_name": alarm.metric,
        "dimensions": alarm.dimensions,
        "statistic": alarm.statistic,
        "period": alarm.seconds,
        "evaluation_periods": alarm.periods,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": alarm.threshold,
        "treat_missing_data": "notBreaching",
    }


# ── changes to Chalice's file ────────────────────────────────────────────────────────────────────────────────────────


def override(stage: Stage, chalice: Document) -> Document:
    """Return `echoer_override.tf.json` for that `chalice.tf.json`."""
    made = chalice["resource"]
    resources = {
        "aws_lambda_function": {name: _function(stage, name, made) for name in stage.functions},
        "aws_lambda_event_source_mapping": {
            f"{name}-sqs-event-source": {
                "event_source_arn": f"${{aws_sqs_queue.{queue}.arn}}",
                "function_response_types": ["ReportBatchItemFailures"],
            }
            for name, queue in QUEUE_OF.items()
        },
        "aws_cloudwatch_event_rule": {"sweep-event": {"name": stage.function("sweep")}},
        "aws_api_gateway_rest_api": {"rest_api": {"name": stage.prefix}},
    }
    return {"terraform": VERSIONS, "locals": {"chalice_api_swagger": _swagger(stage, chalice)}, "resource": resources}


def _function(stage: Stage, name: str, made: Document) -> Document:
    logging = {"log_format": "JSON", "application_log_level": log_level(stage), "system_log_level": "WARN"}
    group = f"${{aws_cloudwatch_log_group.{name}.name}}"
    function: Document = {
        "function_name": stage.function(name),
        "runtime": RUNTIME,
        "logging_config": {**logging, "log_group": group},
    }
    if more := _environment(stage, name):
        # A nested block replaces the other one.
        variables = made["aws_lambda_function"][name]["environment"]["variables"]
        function["environment"] = {"variables": {**variables, **more}}
    return function


def _environment(stage: Stage, name: str) -> dict[str, str]:
    """Return the settings that only this function needs."""
    where = function_url.setting(stage, name, _CALLBACK_URL)
    key, admin = (
        {"ECHOER_WEBHOOK_KEY_REF": stage.keys["key"]},
        {"ECHOER_ADMIN_TOKEN_SHA256": "${var.admin_token_sha256}"},
    )
    match name:
        case "deliver":
            return {"ECHOER_PUBLIC_URL": _url(stage), **where, **key}
        case stages.API:
            return {**stage.own_url, **where, **admin, **key}
        case stages.CALLBACK:
            return {**admin, **key}
        case stages.AUTHORIZE:
            return admin
    return {}


def _url(stage: Stage) -> str:
    host = f"${{aws_api_gateway_rest_api.rest_api.id}}.execute-api.{_REGION}.${{data.aws_partition.chalice.dns_suffix}}"
    return stage.url or f"https://{host}/{stage.path}"


def _swagger(stage: Stage, chalice: Document) -> str:
    swagger: dict[str, Any] = json.loads(chalice["locals"]["chalice_api_swagger"])
    swagger["info"]["title"] = stage.prefix
    return json.dumps(gateway.merged(swagger, gateway.extensions(stage)))
