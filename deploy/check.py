"""The policy check: rules that every template must follow.

It reads the merged template (with SAM's functions, before CloudFormation expands them). A finding names the resource
and the problem; exceptions are listed here with their reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from deploy.stages import Document

Finding: TypeAlias = str

_ALLOWED: Final = {
    r":secret:[^*?]+-\?{6}$": "Secrets Manager adds six characters to a secret's name",
    r"^\$\{aws_cloudwatch_log_group\.\w+\.arn\}:\*$": "the streams of the function's own log group",
}
"""Resources of a policy that may have a wildcard."""

_SECRET: Final = re.compile("KEY|SECRET|TOKEN|PASSWORD")
_LISTS: Final = ("Action", "Resource")


def findings(template: Document) -> list[Finding]:
    """Return the violations in the template."""
    resources: Document = template["Resources"]
    found: list[Finding] = []
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::IAM::Role":
                found += _of_role(name, properties)
            case "AWS::Lambda::Permission":
                found += _of_permission(name, properties)
            case "AWS::Serverless::Function":
                found += _of_function(name, properties, resources)
            case "AWS::DynamoDB::Table":
                found += _of_table(name, resource)
            case "AWS::SQS::Queue":
                found += _of_queue(name, properties, resources)
            case "AWS::Logs::LogGroup" if "RetentionInDays" not in properties:
                found.append(f"{name}: keeps logs without a time limit")
    roles = [json.dumps(function["Properties"]["Role"]) for function in _functions(resources)]
    if len(set(roles)) < len(roles):
        found.append("functions share a role: each then has the permissions of the others")
    return found


def of_policy(name: str, document: Document) -> Iterator[Finding]:
    """Yield the excessive permissions of a policy."""
    for statement in document["Statement"]:
        label = statement.get("Sid", "a statement")
        if statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
            yield f"{name}: {label} allows everything except what it names"
        actions, resources = (_texts(statement.get(key, [])) for key in _LISTS)
        for text in actions:
            if "*" in text or "?" in text:
                yield f"{name}: {label} allows {text}"
        for text in resources:
            if re.search(r"[*?]", text) and not any(re.search(allowed, text) for allowed in _ALLOWED):
                yield f"{name}: {label} covers {text}"


def _of_role(name: str, properties: Document) -> Iterator[Finding]:
    for policy in properties.get("Policies", []):
        yield from of_policy(name, policy["PolicyDocument"])
    for managed in properties.get("ManagedPolicyArns", []):
        yield f"{name}: has the managed policy {managed}"
    for statement in properties["AssumeRolePolicyDocument"]["Statement"]:
        if statement["Principal"] != {"Service": "lambda.amazonaws.com"}:
            yield f"{name}: can be assumed by {statement['Principal']}"


def _of_permission(name: str, properties: Document) -> Iterator[Finding]:
    """Everyone may call a function through its Function URL only."""
    by_url = properties.get("InvokedViaFunctionUrl") or properties.get("Action") == "lambda:InvokeFunctionUrl"
    if properties["Principal"] == "*" and not by_url:
        yield f"{name}: everyone may call the function directly"


def _of_function(name: str, properties: Document, resources: Document) -> Iterator[Finding]:
    for variable in properties.get("Environment", {}).get("Variables", {}):
        if _SECRET.search(variable) and not variable.endswith(("_REF", "_SHA256")):
            yield f"{name}: {variable} would contain a secret"
    group = properties.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
    if group not in resources:
        yield f"{name}: logs to a group outside of this template"
    for source in _sources(properties):
        if "ReportBatchItemFailures" not in source.get("FunctionResponseTypes", []):
            yield f"{name}: lacks ReportBatchItemFailures: one failed message returns its whole batch"


def _of_table(name: str, resource: Document) -> Iterator[Finding]:
    properties = resource["Properties"]
    if not properties.get("SSESpecification", {}).get("SSEEnabled"):
        yield f"{name}: is not encrypted"
    if not properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield f"{name}: has no point-in-time recovery"
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if not resource.get(policy, "").startswith("Retain"):
            yield f"{name}: {policy} would delete its data"


def _of_queue(name: str, properties: Document, resources: Document) -> Iterator[Finding]:
    if not (properties.get("SqsManagedSseEnabled") or properties.get("KmsMasterKeyId")):
        yield f"{name}: is not encrypted"
    if "RedrivePolicy" not in properties and name not in _dead_letter_queues(resources):
        yield f"{name}: has no dead-letter queue"
    for function in _functions(resources):
        for source in _sources(function["Properties"]):
            if source["Queue"] == {"Fn::Sub": f"${{{name}.Arn}}"}:
                seconds = function["Properties"]["Timeout"]
                if properties.get("VisibilityTimeout", 30) <= seconds:
                    yield f"{name}: its visibility time-out is shorter than the {seconds} s that a handler may take"


def _dead_letter_queues(resources: Document) -> set[str]:
    policies = [resource.get("Properties", {}).get("RedrivePolicy") for resource in resources.values()]
    return {policy["deadLetterTargetArn"]["Fn::GetAtt"][0] for policy in policies if policy}


def _functions(resources: Document) -> list[Document]:
    return [resource for resource in resources.values() if resource["Type"] == "AWS::Serverless::Function"]


def _sources(properties: Document) -> list[Document]:
    return [event["Properties"] for event in properties.get("Events", {}).values() if event["Type"] == "SQS"]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(each.get("Fn::Sub", each)) if isinstance(each, dict) else str(each) for each in values]
