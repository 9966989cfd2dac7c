"""The CloudFormation template: lint, the policy check, and consistency with the descriptions that it is built from."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final

import pytest

from app import app
from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb import keys, tables
from chalicelib.config import Access
from chalicelib.entrypoints.http.routes import ROUTES
from chalicelib.language.limits import MAX_REPLY_TIMEOUT_S
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.redelivery import WRITER_LIFETIME_MS
from chalicelib.service.security.tokens import TOKEN_CACHE_MS
from deploy import check, gateway, watch
from deploy.stages import AUTHORIZE, CALLBACK, FUNCTIONS, QUEUE_OF, Document, Stage
from tests.deploy.sam import expand, lint


def test_the_template_is_lint_clean(template: Document) -> None:
    assert lint(template) == []


def test_what_cloudformation_makes_of_it_is_lint_clean(template: Document) -> None:
    uploaded = copy.deepcopy(template)
    for resource in uploaded["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"
    assert lint(expand(uploaded)) == []


def test_the_policy_check_finds_nothing(template: Document) -> None:
    assert check.findings(template) == []


def test_the_table_is_the_one_that_is_described(template: Document, dev: Stage) -> None:
    deployed = template["Resources"][tables.LOGICAL_ID]
    described = tables.as_cloudformation(dev.table)[tables.LOGICAL_ID]
    assert deployed == {**described, "DeletionPolicy": "RetainExceptOnCreate"}
    assert {index["IndexName"] for index in deployed["Properties"]["GlobalSecondaryIndexes"]} == {
        index.name for index in tables.INDEXES
    }
    assert deployed["Properties"]["TimeToLiveSpecification"] == {"AttributeName": tables.EXPIRY, "Enabled": True}


def test_the_queues_are_the_ones_that_are_described(template: Document, dev: Stage) -> None:
    described = sqs.queues_as_cloudformation(dev.prefix)
    assert {name: template["Resources"][name] for name in described} == described


def test_messages_stay_away_for_longer_than_their_handler_may_take(template: Document) -> None:
    for function, queue in QUEUE_OF.items():
        handler = template["Resources"]["".join(map(str.capitalize, function.split("_")))]["Properties"]
        source = template["Resources"][sqs.logical_id(QueueName(queue))]["Properties"]
        assert source["VisibilityTimeout"] > handler["Timeout"]


def test_a_delivery_has_time_for_the_longest_reply_and_to_write_it(template: Document) -> None:
    assert template["Resources"]["Deliver"]["Properties"]["Timeout"] >= MAX_REPLY_TIMEOUT_S + 30


def test_no_function_outlives_what_a_message_waits_for_its_writer(template: Document) -> None:
    timeouts = [
        each["Properties"]["Timeout"] * 1000
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    ]
    assert len(timeouts) == len((*FUNCTIONS, CALLBACK, AUTHORIZE))
    assert max(timeouts) < WRITER_LIFETIME_MS


def test_every_alarm_has_a_recipient_and_an_existing_metric(template: Document, dev: Stage) -> None:
    alarms = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == len(watch.alarms(dev)) == len({alarm["AlarmName"] for alarm in alarms})
    assert {alarm["AlarmActions"][0]["Ref"] for alarm in alarms} == {"AlarmTopic"}
    text = json.dumps({name: each for name, each in template["Resources"].items() if not name.endswith("Alarm")})
    for value in {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}:
        assert f'"{value}"' in text


def test_dead_letters_old_messages_overdue_runs_errors_and_throttles_ring(dev: Stage) -> None:
    names = {alarm.name for alarm in watch.alarms(dev)}
    assert names >= {"DeadLetters", "DeliveriesOldest", "WakesOldest", "DeadOldest", "OverdueRuns", "ApiErrors"}
    for function in dev.functions:
        name = function.title().replace("_", "")
        assert {f"{name}Errors", f"{name}Throttles"} <= names


def test_the_dashboard_is_json_of_this_region(template: Document) -> None:
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert {widget["properties"]["region"] for widget in widgets} == {"${AWS::Region}"}
    assert set(re.findall(r"\$\{[^}]*\}", body)) == {"${AWS::Region}"}


def test_sweep_logs_what_the_filter_looks_for(caplog: pytest.LogCaptureFixture) -> None:
    """The filter reads the field `overdue` of a JSON line, which Lambda makes of a record's extra fields."""
    from chalicelib import hosting
    from chalicelib.config import Backend, Settings
    from chalicelib.entrypoints import workers

    hosting.use(hosting.assemble(made := Settings(backend=Backend.MEMORY), hosting.adapters_for(made)))
    with caplog.at_level("INFO", "echoer"):
        workers.sweep()
    assert [record.__dict__["overdue"] for record in caplog.records if "overdue" in record.__dict__] == [0]
    assert watch.OVERDUE_PATTERN == "{ $.overdue >= 0 }"


# ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_call_leads_to_the_function_behind_the_api(template: Document) -> None:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    calls = {(method.upper(), path) for path, methods in paths.items() for method in methods if method != "options"}
    assert calls == {(method, path) for path, methods in app.routes.items() for method in methods}
    integrations = [
        call["x-amazon-apigateway-integration"]["uri"]
        for methods in paths.values()
        for method, call in methods.items()
        if method != "options"
    ]
    assert all("APIHandler" in json.dumps(uri) for uri in integrations)


@pytest.mark.parametrize("kind", gateway.responses(Access.TOKEN))
def test_api_gateways_own_answers_have_the_shape_of_all_errors(template: Document, kind: str) -> None:
    body = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][gateway.KEY][kind]
    text = body["responseTemplates"]["application/json"].replace("$context.error.messageString", '"Too \\"long\\""')
    answer = json.loads(text)
    assert answer["error"]["detail"] == answer["message"]
    assert re.fullmatch("[a-z-]+", answer["error"]["code"])


@pytest.mark.parametrize("asked_for", Access)
def test_unauthorized_requests_get_the_shape_of_all_errors(asked_for: Access) -> None:
    for body in gateway.responses(asked_for).values():
        text = body["responseTemplates"]["application/json"].replace("$context.error.messageString", '"Too long"')
        answer = json.loads(text)
        assert answer["error"]["detail"] == answer["message"]
        assert ("WWW-Authenticate" in str(body)) == (body.get("statusCode") == "401")


# ── who is let in ────────────────────────────────────────────────────────────────────────────────────────────────────

FOR_ALL: Final = {route.call for route in ROUTES if route.role is None}


def _asked(template: Document) -> dict[tuple[str, str], list[str]]:
    """API Gateway calls the authorizer before each call."""
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    return {
        (method.upper(), path): [name for each in call.get("security", []) for name in each]
        for path, methods in paths.items()
        for method, call in methods.items()
    }


CALLBACKS: Final = {("POST", "/step"), ("POST", "/step/{name}"), ("POST", "/")}
"""Answers to steps: by uuid, by token, and by AWS's SDK."""


def test_the_authorizer_is_called_before_every_call_but_the_public_ones(template: Document) -> None:
    asked = _asked(template)
    assert {call for call, names in asked.items() if not names} == FOR_ALL | CALLBACKS
    assert {name for names in asked.values() for name in names} == {AUTHORIZE}


def test_the_authorizer_is_asked_again_when_a_token_may_have_been_revoked(template: Document) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["securityDefinitions"][AUTHORIZE]
    assert (definition["in"], definition["name"]) == ("header", "Authorization")
    asked = definition["x-amazon-apigateway-authorizer"]
    assert asked["authorizerResultTtlInSeconds"] * 1000 == TOKEN_CACHE_MS
    assert template["Resources"]["Authorize"]["Properties"]["Handler"] == "app.authorize"
    assert "${Authorize.Arn}" in asked["authorizerUri"]["Fn::Sub"]


@pytest.mark.parametrize(
    ("said", "whether"),
    [
        (f"Bearer ech_{'0' * 16}_{'0' * 64}", True),
        (f"bearer {'a first admin may say this, spaces too'}", True),
        ("Bearer short", False),
        (f"Basic {'0' * 64}", False),
        ("", False),
    ],
)
def test_what_can_be_no_token_is_not_asked_about(template: Document, said: str, whether: bool) -> None:
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["securityDefinitions"][AUTHORIZE]
    shape = definition["x-amazon-apigateway-authorizer"]["identityValidationExpression"]
    assert bool(re.search(shape, said)) is whether


def test_the_authorizer_reads_tokens_alone(template: Document) -> None:
    """Its policy names the partition keys of tokens in the format of the store."""
    (policy,) = template["Resources"]["AuthorizeRole"]["Properties"]["Policies"]
    read, log = policy["PolicyDocument"]["Statement"]
    assert (read["Action"], log["Sid"]) == ("dynamodb:GetItem", "Log")
    pattern = read["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert fnmatchcase(keys.versioned_value("@access", "token/0123456789abcdef")[0], pattern)
    for other in (keys.versioned_value("default", "token/x")[0], keys.versioned_value("@access", "tokens/default")[0]):
        assert not fnmatchcase(other, pattern)


def test_under_iam_api_gateway_verifies_signatures_of_every_call_but_the_public_ones(signed: Document) -> None:
    asked = _asked(signed)
    assert {call for call, names in asked.items() if not names and call[0] != "OPTIONS"} == FOR_ALL
    assert {name for names in asked.values() for name in names} == {"sigv4"}
    body = signed["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    assert body["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert body[gateway.KEY]["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == "401"
    assert "Authorize" not in signed["Resources"]


def test_a_template_under_iam_is_as_clean(signed: Document) -> None:
    assert lint(signed) == []
    assert check.findings(signed) == []


def test_a_preflight_of_every_path_is_forwarded_unsigned_where_origins_are_permitted(signed: Document) -> None:
    paths = signed["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    for path, methods in paths.items():
        assert "security" not in methods["options"], path
        integration = methods["options"]["x-amazon-apigateway-integration"]
        assert (integration["type"], "APIHandler" in json.dumps(integration["uri"])) == ("aws_proxy", True), path
    for kind, response in signed["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][gateway.KEY].items():
        allowed = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert allowed == "'https://console.example'", kind


def test_no_preflight_is_answered_where_no_origin_is_permitted(template: Document) -> None:
    body = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    assert all("options" not in methods for methods in body["paths"].values())
    assert "Access-Control" not in json.dumps(body)


def test_with_several_origins_api_gateways_own_answers_name_none() -> None:
    """Their headers are fixed texts, so they could name only one."""
    assert "Access-Control" not in json.dumps(
        gateway.responses(Access.TOKEN, ("https://a.example", "https://b.example"))
    )


def test_a_path_that_is_not_there_is_a_404(template: Document) -> None:
    answers = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][gateway.KEY]
    assert answers["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == "404"


# ── the Function URL ─────────────────────────────────────────────────────────────────────────────────────────────────


def _variables(template: Document, function: str) -> Document:
    found: Document = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return found


def test_everyone_may_call_the_function_url_and_nobody_the_function_itself(template: Document) -> None:
    resources, function = template["Resources"], {"Ref": "Callback"}
    url = {"TargetFunctionArn": function, "AuthType": "NONE", "InvokeMode": "BUFFERED"}
    assert resources["CallbackUrl"] == {"Type": "AWS::Lambda::Url", "Properties": url}
    permissions = [
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Permission" and each["Properties"]["FunctionName"] == function
    ]
    everyone = {"FunctionName": function, "Principal": "*"}
    assert permissions == [
        {**everyone, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
        {**everyone, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
    ]
    assert resources["Callback"]["Properties"]["Handler"] == "app.callback"


def test_where_signatures_are_required_lambda_verifies_them(signed: Document) -> None:
    assert signed["Resources"]["CallbackUrl"]["Properties"]["AuthType"] == "AWS_IAM"
    assert "CallbackUrlPermission" not in signed["Resources"]
    assert "CallbackUrlInvokePermission" not in signed["Resources"]


def test_who_tells_and_shows_where_actions_answer_knows_the_url_and_its_function_does_not(template: Document) -> None:
    """The URL refers to the function, so that the function cannot refer to it; nor to the API, which people use."""
    knows = {
        name: _variables(template, name)["ECHOER_CALLBACK_URL"]
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function" and "ECHOER_CALLBACK_URL" in _variables(template, name)
    }
    url = {"Fn::GetAtt": ["CallbackUrl", "FunctionUrl"]}
    assert knows == {"APIHandler": url, "Deliver": url}
    assert template["Outputs"]["CallbackUrl"] == {"Value": url}
    assert "execute-api" in json.dumps(_variables(template, "Deliver")["ECHOER_PUBLIC_URL"])
    for name in ("Callback", "CallbackRole"):
        text = json.dumps(template["Resources"][name])
        assert "RestAPI" not in text
        assert "CallbackUrl" not in text


def test_a_stage_may_reserve_concurrency_for_answers(signed: Document, template: Document) -> None:
    assert signed["Resources"]["Callback"]["Properties"]["ReservedConcurrentExecutions"] == 20
    assert "ReservedConcurrentExecutions" not in json.dumps(template)


def test_the_function_url_is_watched(template: Document, dev: Stage) -> None:
    alarm = template["Resources"]["CallbackUrlErrorsAlarm"]["Properties"]
    assert (alarm["MetricName"], alarm["Dimensions"][0]["Value"]) == ("Url5xxCount", "echoer-dev-callback")
    assert "UrlRequestCount" in watch.dashboard(dev, "r")


# ── the policy check finds mistakes ──────────────────────────────────────────────────────────────────────────────────


def _statement(template: Document, **changed: Any) -> None:
    role = template["Resources"]["SweepRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    role["Statement"][0] |= changed


def _properties(name: str, **changed: Any) -> Callable[[Document], None]:
    return lambda template: template["Resources"][name]["Properties"].update(changed)


SPOILED: dict[str, tuple[Callable[[Document], Any], str]] = {
    "any action": (lambda made: _statement(made, Action="dynamodb:*"), "allows dynamodb:*"),
    "any resource": (lambda made: _statement(made, Resource="*"), "covers *"),
    "all but": (lambda made: _statement(made, NotAction="iam:*"), "everything except"),
    "a secret": (
        _properties("Deliver", Environment={"Variables": {"ECHOER_WEBHOOK_KEY": "x"}}),
        "ECHOER_WEBHOOK_KEY would contain a secret",
    ),
    "logs for ever": (
        lambda made: made["Resources"]["SweepLogGroup"]["Properties"].pop("RetentionInDays"),
        "keeps logs without a time limit",
    ),
    "no redrive": (
        lambda made: made["Resources"]["WakesQueue"]["Properties"].pop("RedrivePolicy"),
        "has no dead-letter queue",
    ),
    "seen too early": (_properties("WakesQueue", VisibilityTimeout=60), "that a handler may take"),
    "plain queue": (_properties("WakesQueue", SqsManagedSseEnabled=False), "is not encrypted"),
    "plain table": (_properties("EchoerTable", SSESpecification={"SSEEnabled": False}), "is not encrypted"),
    "no way back": (_properties("EchoerTable", PointInTimeRecoverySpecification={}), "has no point-in-time recovery"),
    "lost table": (lambda made: made["Resources"]["EchoerTable"].pop("DeletionPolicy"), "would delete"),
    "shared role": (_properties("Wake", Role={"Fn::GetAtt": ["SweepRole", "Arn"]}), "share a role"),
    "an open function": (
        lambda made: made["Resources"]["CallbackUrlInvokePermission"]["Properties"].pop("InvokedViaFunctionUrl"),
        "everyone may call the function directly",
    ),
    "a whole batch": (
        lambda made: made["Resources"]["Wake"]["Properties"]["Events"]["WakeSqsEventSource"]["Properties"].pop(
            "FunctionResponseTypes"
        ),
        "returns its whole batch",
    ),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_the_policy_check_finds_what_is_wrong(template: Document, fault: str) -> None:
    spoiled = copy.deepcopy(template)
    spoil, told = SPOILED[fault]
    spoil(spoiled)
    assert any(told in finding for finding in check.findings(spoiled)), check.findings(spoiled)
