"""The Terraform configuration, checked without Terraform: its three files are consistent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters import sqs
from chalicelib.adapters.dynamodb import tables
from chalicelib.config import Access
from chalicelib.service.ports.queues import QueueName
from deploy import check, gateway, watch
from deploy.stages import AUTHORIZE, QUEUE_OF, RUNTIME, Document, Stage
from tests.deploy.sam import lint

FILES = ("chalice.tf.json", "echoer.tf.json", "echoer_override.tf.json")
REFERENCE = re.compile(r"\$\{(aws_\w+)\.([\w-]+)\.\w+(?:\[\"\w+\"\])?\}")


@pytest.fixture(scope="module")
def files(packaged: Path) -> dict[str, Document]:
    return {name: json.loads((packaged / "terraform" / name).read_text()) for name in FILES}


@pytest.fixture(scope="module")
def whole(files: dict[str, Document]) -> Document:
    """Merge the files as Terraform does: arguments of the override replace those of the other files."""
    made: Document = {kind: dict(found) for kind, found in files["chalice.tf.json"]["resource"].items()}
    for name in FILES[1:]:
        for kind, resources in files[name]["resource"].items():
            for resource, arguments in resources.items():
                known = made.setdefault(kind, {})
                known[resource] = {**known.get(resource, {}), **arguments}
    return made


def test_the_override_overrides_what_is_there_and_the_other_file_does_not(files: dict[str, Document]) -> None:
    chalice = set(_names(files["chalice.tf.json"]))
    assert set(_names(files["echoer_override.tf.json"])) <= chalice
    assert not set(_names(files["echoer.tf.json"])) & chalice
    assert set(files["echoer_override.tf.json"]["locals"]) <= set(files["chalice.tf.json"]["locals"])


def test_every_reference_leads_to_something(files: dict[str, Document], whole: Document) -> None:
    text = json.dumps(list(files.values())).replace('\\"', '"')
    found = set(REFERENCE.findall(text))
    assert len(found) > 20
    assert {(kind, name) for kind, name in found if name not in whole.get(kind, {})} == set()
    variables = set(re.findall(r"\$\{var\.(\w+)\}", text))
    assert variables == set(files["echoer.tf.json"]["variable"])


def test_the_table_is_the_one_that_is_described(whole: Document, dev: Stage) -> None:
    table = whole["aws_dynamodb_table"]["echoer"]
    assert (table["name"], table["hash_key"], table["range_key"]) == (dev.table, tables.HASH, tables.RANGE)
    keys = {(index["name"], index["hash_key"], index["range_key"]) for index in table["global_secondary_index"]}
    assert keys == {(index.name, index.hash, index.range) for index in tables.INDEXES}
    used = {tables.HASH, tables.RANGE, *(key for _, *index in keys for key in index)}
    assert {attribute["name"] for attribute in table["attribute"]} == used
    assert table["ttl"] == {"attribute_name": tables.EXPIRY, "enabled": True}
    assert table["point_in_time_recovery"] == table["server_side_encryption"] == {"enabled": True}


def test_the_queues_are_the_ones_that_are_described(whole: Document, dev: Stage) -> None:
    for queue, made in whole["aws_sqs_queue"].items():
        assert made["name"] == dev.queue(queue)
        assert made["visibility_timeout_seconds"] == sqs.VISIBILITY_TIMEOUT_S[QueueName(queue)]
        assert made["sqs_managed_sse_enabled"] is True
        redrive = json.loads(made.get("redrive_policy", "null"))
        dead = {"deadLetterTargetArn": "${aws_sqs_queue.dead.arn}", "maxReceiveCount": sqs.MAX_RECEIVES}
        assert redrive == (None if queue == "dead" else dead)


def test_every_queue_feeds_its_function_which_may_give_messages_back(whole: Document) -> None:
    sources = whole["aws_lambda_event_source_mapping"]
    assert {each["function_name"]: each["event_source_arn"] for each in sources.values()} == {
        f"${{aws_lambda_function.{function}.arn}}": f"${{aws_sqs_queue.{queue}.arn}}"
        for function, queue in QUEUE_OF.items()
    }
    assert {tuple(each["function_response_types"]) for each in sources.values()} == {("ReportBatchItemFailures",)}


def test_both_forms_make_the_same_functions(whole: Document, template: Document, dev: Stage) -> None:
    for name in dev.functions:
        ours = whole["aws_lambda_function"][name]
        theirs = template["Resources"][
            "APIHandler" if name == "api_handler" else "".join(map(str.capitalize, name.split("_")))
        ]["Properties"]
        same = {"function_name": "FunctionName", "timeout": "Timeout", "memory_size": "MemorySize"}
        assert ours["runtime"] == theirs["Runtime"] == RUNTIME
        assert {key: ours[key] for key in same} == {key: theirs[other] for key, other in same.items()}
        assert ours["environment"]["variables"].keys() == theirs["Environment"]["Variables"].keys()
        assert whole["aws_cloudwatch_log_group"][name]["name"] == f"/aws/lambda/{ours['function_name']}"


def test_both_forms_have_the_same_function_url(whole: Document, template: Document) -> None:
    stack = whole["aws_cloudformation_stack"]["callback_url"]
    assert stack["parameters"] == {"Function": "${aws_lambda_function.callback.function_name}"}
    made = json.loads(stack["template_body"].replace('{"Ref": "Function"}', '{"Ref": "Callback"}'))
    assert len(made["Resources"]) == 3
    assert made["Resources"].items() <= template["Resources"].items()
    (output,) = made["Outputs"]
    for function in ("deliver", "api_handler"):
        variables = whole["aws_lambda_function"][function]["environment"]["variables"]
        found = variables["ECHOER_CALLBACK_URL"]
        assert found == f'${{aws_cloudformation_stack.callback_url.outputs["{output}"]}}'
    assert lint(json.loads(stack["template_body"])) == []


def test_both_forms_watch_the_same(whole: Document, dev: Stage) -> None:
    assert set(whole["aws_cloudwatch_metric_alarm"]) == {alarm.name for alarm in watch.alarms(dev)}
    json.loads(whole["aws_cloudwatch_dashboard"]["echoer"]["dashboard_body"])


def test_both_forms_answer_alike_where_no_route_is_meant(files: dict[str, Document]) -> None:
    swagger = json.loads(files["echoer_override.tf.json"]["locals"]["chalice_api_swagger"])
    assert swagger[gateway.KEY] == gateway.responses(Access.TOKEN)


def test_both_forms_use_the_same_authorizer_for_the_same_calls(files: dict[str, Document], template: Document) -> None:
    ours = json.loads(files["echoer_override.tf.json"]["locals"]["chalice_api_swagger"])
    theirs = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for path, methods in theirs["paths"].items():
        assert {method: call.get("security") for method, call in methods.items()} == {
            method: call.get("security") for method, call in ours["paths"][path].items()
        }
    name = "x-amazon-apigateway-authorizer"
    definition, other = (made["securityDefinitions"][AUTHORIZE] for made in (ours, theirs))
    assert definition[name].pop("authorizerUri") == "${aws_lambda_function.authorize.invoke_arn}"
    assert definition[name].items() <= other[name].items()


def test_no_policy_is_too_wide_and_both_forms_allow_the_same(whole: Document, template: Document, dev: Stage) -> None:
    for name in dev.functions:
        policy = json.loads(whole["aws_iam_role_policy"][f"{name}_role"]["policy"])
        assert list(check.of_policy(name, policy)) == []
        role = template["Resources"][f"{name.title().replace('_', '')}Role"]["Properties"]
        (other,) = [each["PolicyDocument"] for each in role["Policies"]]
        assert [(each["Sid"], each["Action"]) for each in policy["Statement"]] == [
            (each["Sid"], each["Action"]) for each in other["Statement"]
        ]


def test_stages_do_not_share_a_name(whole: Document, dev: Stage) -> None:
    keys = ("name", "function_name", "alarm_name", "dashboard_name")
    shared = {
        (kind, each[key])
        for kind, resources in whole.items()
        for each in resources.values()
        for key in keys
        if key in each and "${" not in each[key] and dev.prefix not in each[key]
    }
    # These are named within something that has the stage's name.
    assert {kind for kind, _ in shared} <= {"aws_cloudwatch_log_metric_filter", "aws_iam_role_policy"}


def _names(file: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, resources in file["resource"].items():
        for name in resources:
            yield kind, name
