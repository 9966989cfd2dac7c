"""Templates of SAM, CloudFormation and the CDK: their machines, what is filled in, and what is only noted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsl.importing.functions import Resolver, TooLarge
from fsl.importing.templates import FoundMachine, machines_in

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${F}", "End": True}}}
FUNCTION = {"Type": "AWS::Serverless::Function", "Properties": {"FunctionName": {"Fn::Sub": "pay-${Stage}"}}}


def resource_in(found: FoundMachine) -> Any:
    """Return the Resource of the machine's only state."""
    assert found.reading.machine is not None, found.reading.problems
    return found.reading.machine["States"]["A"]["Resource"]


def machines(properties: Any, kind: str = "AWS::StepFunctions::StateMachine", **more: Any) -> list[FoundMachine]:
    """Return the machines of a template with one."""
    template = {
        "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
        "Mappings": {"Kinds": {"dev": {"Type": "EXPRESS"}}},
        "Resources": {
            "M": {"Type": kind, "Properties": properties},
            "Pay": FUNCTION,
            "Bare": {"Type": "AWS::Lambda::Function"},
            **more,
        },
    }
    return machines_in(template, {}, lambda path: json.dumps({**MACHINE, "Comment": path}))


def machine(properties: Any, kind: str = "AWS::StepFunctions::StateMachine", **more: Any) -> FoundMachine:
    """Return the machine of a template with one."""
    (found,) = machines(properties, kind, **more)
    return found


PAY = "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:pay-dev"


@pytest.mark.parametrize(
    ("properties", "resource"),
    [
        ({"Definition": {"StartAt": "A", "States": {"A": {"Resource": {"Fn::GetAtt": ["Pay", "Arn"]}}}}}, PAY),
        ({"Definition": MACHINE, "DefinitionSubstitutions": {"F": {"Fn::GetAtt": "Pay.Arn"}}}, PAY),
        ({"DefinitionString": json.dumps(MACHINE), "DefinitionSubstitutions": {"F": "x"}}, "x"),
        ({"DefinitionString": {"Fn::Sub": json.dumps(MACHINE).replace("${F}", "${Pay.Arn}")}}, PAY),
        ({"DefinitionString": {"Fn::Sub": [json.dumps(MACHINE), {"F": {"Fn::GetAtt": ["Pay", "Arn"]}}]}}, PAY),
        ({"DefinitionString": {"Fn::Sub": json.dumps(MACHINE).replace("${F}", "${!F}")}}, "${F}"),
        (
            {
                "DefinitionString": {
                    "Fn::Join": [
                        "",
                        [
                            '{"StartAt":"A","States":{"A":{"Resource":"arn:',
                            {"Ref": "AWS::Partition"},
                            ':states:::sqs:sendMessage"}}}',
                        ],
                    ]
                }
            },
            "arn:aws:states:::sqs:sendMessage",
        ),
    ],
)
def test_a_definition_is_read_with_what_the_template_fills_in(properties: Any, resource: str) -> None:
    assert resource_in(machine(properties)) == resource


def test_a_definition_may_be_in_a_file() -> None:
    found = machine(
        {"DefinitionUri": "sm/a.asl.json", "DefinitionSubstitutions": {"F": {"Ref": "Pay"}}, "Type": "EXPRESS"},
        "AWS::Serverless::StateMachine",
    )
    assert resource_in(found) == "pay-dev"
    assert (found.file, found.express, found.name) == ("sm/a.asl.json", True, "M")


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"DefinitionS3Location": {"Bucket": "b", "Key": "k"}}, "in S3"),
        ({"DefinitionUri": {"Bucket": "b", "Key": "k"}}, "in S3"),
        ({"DefinitionUri": "s3://b/k"}, "in S3"),
        ({"DefinitionString": {"a": 1}}, "no text"),
        ({"DefinitionString": "{"}, "no JSON at line 1"),
        ({"Definition": []}, "a machine is an object"),
        ({}, "no definition"),
        (None, "no definition"),
    ],
)
def test_a_definition_that_cannot_be_read_is_an_error_of_its_machine(properties: Any, words: str) -> None:
    found = machine(properties)
    assert found.reading.machine is None
    (problem,) = found.reading.problems
    assert words in problem.message


def test_a_file_that_is_not_there_is_an_error_of_its_machine() -> None:
    def missing(path: str) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    template = {"Resources": {"M": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "a"}}}}
    (found,) = machines_in(template, {}, missing)
    assert found.reading.problems[0].message == "cannot read a: No such file or directory"


def test_every_machine_is_found_with_its_name() -> None:
    kind = {"Fn::FindInMap": ["Kinds", {"Ref": "Stage"}, "Type"]}
    named = {"Definition": MACHINE, "StateMachineName": {"Fn::Sub": "order-${Stage}"}, "StateMachineType": kind}
    unnamed = {"Definition": MACHINE, "StateMachineName": {"Fn::Sub": "${AWS::StackName}-x"}}
    found = machines(named, N={"Type": "AWS::StepFunctions::StateMachine", "Properties": unnamed})
    assert [(one.logical_id, one.name, one.express) for one in found] == [("M", "order-dev", True), ("N", "N", False)]


def test_the_wiring_is_noted_at_its_places() -> None:
    definition = {
        "StartAt": "A",
        "States": {"A": {"Resource": {"Fn::GetAtt": ["Bare", "Arn"]}, "Parameters": {"QueueUrl": {"Ref": "Queue"}}}},
    }
    found = machine(
        {
            "Definition": definition,
            "Events": {"Hourly": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 hour)"}}},
        },
        "AWS::Serverless::StateMachine",
        Queue={"Type": "AWS::SQS::Queue"},
        Rule={
            "Type": "AWS::Events::Rule",
            "Properties": {"EventPattern": {"source": ["shop"]}, "Targets": [{"Arn": {"Ref": "M"}}]},
        },
        Mapping={
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": "Bare"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
        },
        Other={"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": {"Ref": "Pay"}}]}},
    )
    assert [f"{note.pointer}: {note.message}" for note in found.notes] == [
        "/Resources/Bare: the Lambda function has no FunctionName here, so the flow calls `Bare`: give its name with "
        "`--var Bare=NAME`",
        "/Resources/M/Properties/Events/Hourly: an event of type Schedule (Schedule rate(1 hour)) starts it: "
        "write a `schedule` for it",
        "/Resources/Queue: the machine uses this queue: it stays on AWS, and the flow calls it there",
        '/Resources/Rule: the rule (EventPattern {"source": ["shop"]}) connects `M`: not imported',
        "/Resources/Mapping: the event source mapping connects `Bare` and `Queue`: not imported",
    ]


TEMPLATE = {
    "Parameters": {"P": {"Default": 5}, "Q": {}},
    "Mappings": {"Map": {"a": {"b": "mapped", "c": [1, 2]}}},
    "Resources": {
        "Pay": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "pay"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Fn::Sub": "${P}-table"}}},
        "Loop": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": {"Fn::Sub": "${Loop}-x"}}},
        "Odd": {"Type": 5, "Properties": 5},
    },
}


@pytest.mark.parametrize(
    ("value", "yields"),
    [
        ({"Ref": "P"}, "5"),
        ({"Ref": "Q"}, "${Q}"),
        ({"Ref": "Unknown"}, "${Unknown}"),
        ({"Ref": "Pay"}, "pay"),
        ({"Ref": "Topic"}, "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:t"),
        ({"Ref": "Queue"}, "${Queue}"),
        ({"Ref": "Table"}, "5-table"),
        ({"Ref": "Loop"}, "Loop-x"),
        ({"Ref": "Odd"}, "${Odd}"),
        ({"Ref": 1}, "${Ref}"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${Queue}"),
        ({"Fn::GetAtt": ["Queue", "QueueUrl"]}, "${Queue.QueueUrl}"),
        ({"Fn::GetAtt": "Topic.TopicName"}, "t"),
        ({"Fn::GetAtt": []}, "${GetAtt}"),
        (
            {"Fn::Sub": "a ${P} ${!x} ${ Pay } ${Table.Arn}"},
            "a 5 ${x} pay arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/5-table",
        ),
        ({"Fn::Sub": ["${a}", {"a": {"Ref": "P"}}]}, "5"),
        ({"Fn::Sub": 1}, "${Sub}"),
        ({"Fn::Join": [",", ["a", {"Ref": "P"}, True]]}, "a,5,true"),
        ({"Fn::Join": 1}, "${Join}"),
        ({"Fn::Select": [1, {"Fn::Split": ["-", "a-b"]}]}, "b"),
        ({"Fn::Select": ["9", ["a"]]}, "${Select}"),
        ({"Fn::FindInMap": ["Map", "a", "b"]}, "mapped"),
        ({"Fn::FindInMap": ["Map", "x", "b"]}, "${FindInMap}"),
        ({"Fn::If": ["IsProd", "a", "b"]}, "${If}"),
        ({"Fn::ImportValue": "x"}, "${ImportValue}"),
        ({"a": [{"Ref": "P"}], "Fn::Sub": "x"}, {"a": ["5"], "Fn::Sub": "x"}),
    ],
)
def test_a_function_yields_what_the_template_alone_says(value: Any, yields: Any) -> None:
    assert Resolver(TEMPLATE, {}).resolved(value) == yields


def test_given_values_go_before_all_else() -> None:
    given = {"Queue.QueueUrl": "http://q", "AWS::Region": "eu-west-1", "Pay": "paid", "P": "7", "IsProd": "true"}
    resolver = Resolver(TEMPLATE, given)
    assert resolver.resolved({"Fn::GetAtt": ["Queue", "QueueUrl"]}) == "http://q"
    assert (
        resolver.resolved({"Fn::GetAtt": ["Pay", "Arn"]}) == "arn:aws:lambda:eu-west-1:${AWS::AccountId}:function:paid"
    )
    assert resolver.resolved({"Fn::If": ["IsProd", {"Ref": "P"}, "b"]}) == "7"


def test_text_that_doubles_at_each_level_is_refused() -> None:
    value: Any = "x" * 1000
    for _ in range(60):
        value = {"Fn::Sub": ["${a}${a}", {"a": value}]}
    with pytest.raises(TooLarge):
        Resolver({}, {}).resolved(value)
    found = machine({"DefinitionString": value})
    assert "more than" in found.reading.problems[0].message


def test_a_function_is_noted_for_its_missing_name_and_its_long_timeout() -> None:
    named = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "Slow", "Timeout": 60}}
    definition = {"StartAt": "A", "States": {"A": {"Resource": {"Fn::GetAtt": ["Slow", "Arn"]}}}}
    found = machine({"Definition": definition}, Slow=named)
    assert [f"{note.pointer}: {note.message}" for note in found.notes] == [
        "/Resources/Slow/Properties/Timeout: the Lambda function may take 60 s: give its action `reply_timeout = 60s`"
    ]
