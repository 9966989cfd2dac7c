"""The CloudFormation form: the template that is merged into Chalice's, with additions and corrections.

Chalice generates functions, roles, event sources and the API. The table, the queues, the alarms and the dashboard come
from their own descriptions. When templates are merged, a list replaces the other one, and a dict is merged into it.
"""

from __future__ import annotations

from typing import Any, Final

from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb import tables
from chalicelib.service.ports.queues import QueueName
from deploy import function_url, gateway, policies, stages, watch
from deploy.stages import API, QUEUE_OF, RUNTIME, Document, Stage
from deploy.watch import Alarm

_ARN: Final = "arn:${AWS::Partition}:SERVICE:${AWS::Region}:${AWS::AccountId}"
_TOPIC: Final = "AlarmTopic"

ADMIN: Final = "AdminTokenSha256"
"""The parameter with the digest of the first admin's token."""


def template(stage: Stage) -> Document:
    """Return the template to merge into Chalice's."""
    resources = {
        **_table(stage),
        **sqs.queues_as_cloudformation(stage.prefix),
        **{_function(name): _patch(stage, name) for name in stage.functions},
        **{_log_group(name): _log(stage, name) for name in stage.functions},
        "RestAPI": _api(stage),
        **_function_url(stage),
        **_watched(stage),
    }
    admin = {"Type": "String", "AllowedPattern": "[0-9a-f]{64}", "Description": "SHA-256 of the first admin's token"}
    return {
        "Description": f"Echoer, stage {stage.name}",
        "Parameters": {ADMIN: admin},
        "Resources": resources,
        "Outputs": _outputs(stage),
    }


def policy(stage: Stage, function: str) -> Document:
    """Return the function's policy."""
    places = {
        "table": f"${{{tables.LOGICAL_ID}.Arn}}",
        **{str(queue): f"${{{sqs.logical_id(queue)}.Arn}}" for queue in QueueName},
        "logs": f"${{{_log_group(function)}.Arn}}",
        **policies.key_places(stage.keys, _ARN),
    }
    document = policies.render(function, places, lambda text: {"Fn::Sub": text})
    called = policies.of_calls(stage.actions, stage.statements) if function == "deliver" else []
    return {**document, "Statement": [*document["Statement"], *called]}


def _table(stage: Stage) -> Document:
    """Return the table, which is always retained, except when its first deployment fails."""
    made = tables.as_cloudformation(stage.table)
    return {name: {**table, "DeletionPolicy": "RetainExceptOnCreate"} for name, table in made.items()}


# ── functions and the API ────────────────────────────────────────────────────────────────────────────────────────────


def _patch(stage: Stage, name: str) -> Document:
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": log_level(stage), "SystemLogLevel": "WARN"}
    properties: Document = {
        "FunctionName": stage.function(name),
        "Runtime": RUNTIME,
        "LoggingConfig": {**logging, "LogGroup": {"Ref": _log_group(name)}},
    }
    if name in QUEUE_OF:
        arn = f"${{{sqs.logical_id(QueueName(QUEUE_OF[name]))}.Arn}}"
        # Chalice's own key, so that it is replaced; the reference makes the source wait for its queue.
        source = {"Queue": {"Fn::Sub": arn}, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
        properties["Events"] = {f"{_function(name)}SqsEventSource": {"Properties": source}}
    if more := _environment(stage, name):
        properties["Environment"] = {"Variables": more}
    return {"Properties": properties}


def _environment(stage: Stage, name: str) -> Document:
    """Return the settings that only this function needs."""
    where = function_url.setting(stage, name, {"Fn::GetAtt": [function_url.URL, "FunctionUrl"]})
    key, admin = {"ECHOER_WEBHOOK_KEY_REF": stage.keys["key"]}, {"ECHOER_ADMIN_TOKEN_SHA256": {"Ref": ADMIN}}
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


def _log(stage: Stage, name: str) -> Document:
    properties = {"LogGroupName": stage.log_group(name), "RetentionInDays": stage.log_days}
    return {"Type": "AWS::Logs::LogGroup", "Properties": properties}


def log_level(stage: Stage) -> str:
    """Return the log level in Lambda's terms. Lines of metrics have no level and count as INFO."""
    level = stage.settings.get("ECHOER_LOG", "info").upper()
    if stage.counts and level in ("WARNING", "ERROR"):
        return "INFO"
    return "WARN" if level == "WARNING" else level


def _url(stage: Stage) -> str | Document:
    """Only for what the API does not refer to: it refers to its own function, which must not refer back."""
    base = "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    return stage.url or {"Fn::Sub": f"{base}/{stage.path}"}


def _function_url(stage: Stage) -> Document:
    found = {"Ref": _function(stages.CALLBACK)}
    return function_url.resources(stage, found) if stage.has_function_url else {}


def _api(stage: Stage) -> Document:
    body = {"info": {"title": stage.prefix}, **gateway.extensions(stage)}
    # Without a version SAM adds a second stage, called Stage.
    return {"Properties": {"Name": stage.prefix, "OpenApiVersion": "2.0", "DefinitionBody": body}}


def _function(name: str) -> str:
    """Chalice's logical ids."""
    return "APIHandler" if name == API else "".join(part.capitalize() for part in name.split("_"))


def _log_group(name: str) -> str:
    return f"{_function(name)}LogGroup"


# ── alarms and dashboard ─────────────────────────────────────────────────────────────────────────────────────────────


def _watched(stage: Stage) -> Document:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{stage.prefix}-alarms"}}
    body = watch.dashboard(stage, "${AWS::Region}")
    dashboard = {"DashboardName": stage.prefix, "DashboardBody": {"Fn::Sub": body}}
    return {
        _TOPIC: topic,
        **{f"{alarm.name}Alarm": _alarm(stage, alarm) for alarm in watch.alarms(stage)},
        "OverdueRunsFilter": {"Type": "AWS::Logs::MetricFilter", "Properties": _overdue(stage)},
        "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": dashboard},
    }


def _alarm(stage: Stage, alarm: Alarm) -> Document:
    properties = {
        "AlarmName": f"{stage.prefix}-{alarm.name}",
        "AlarmDescription": alarm.description,
        "AlarmActions": [{"Ref": _TOPIC}],
        "OKActions": [{"Ref": _TOPIC}],
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions.items()],
        "Statistic": alarm.statistic,
        "Period": alarm.seconds,
        "EvaluationPeriods": alarm.periods,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": alarm.threshold,
        "TreatMissingData": "notBreaching",
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def _overdue(stage: Stage) -> Document:
    metric = {
        "MetricNamespace": stage.metrics,
        "MetricName": watch.OVERDUE,
        "MetricValue": "$.overdue",
    }
    return {
        "LogGroupName": {"Ref": _log_group("sweep")},
        "FilterPattern": watch.OVERDUE_PATTERN,
        "MetricTransformations": [metric],
    }


def _outputs(stage: Stage) -> dict[str, Any]:
    made: Document = {"AlarmTopic": {"Value": {"Ref": _TOPIC}}, "TableName": {"Value": {"Ref": tables.LOGICAL_ID}}}
    if stage.has_function_url:
        made[function_url.URL] = {"Value": {"Fn::GetAtt": [function_url.URL, "FunctionUrl"]}}
    return made
