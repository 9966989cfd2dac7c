"""The rules of Amazon States Language: a table of machines that break one rule each, and of machines that keep it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.asl.problems import Level
from tests.asl.machines import LAMBDA, TASK, State, machine, reported

PASS: State = {"Type": "Pass", "End": True}
INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
MAP: State = {"Type": "Map", "ItemProcessor": INNER, "End": True}
DISTRIBUTED = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
RETRY = {"ErrorEquals": ["X"]}
CATCH = {"ErrorEquals": ["X"], "Next": "B"}
B = {"B": {"Type": "Succeed"}}
JSONATA = {"QueryLanguage": "JSONata"}
RULE: State = {"Variable": "$.a", "IsPresent": True, "Next": "B"}
RULE_WITHIN = {"Variable": "$.a", "IsPresent": True}
READER = {"Resource": "arn:aws:states:::s3:getObject"}
OTHER_MAP = {"Type": "Map", "ItemProcessor": {"StartAt": "J", "States": {"J": {"Type": "Succeed"}}}, "End": True}
OUTER_A = {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"}


def choice(*rules: Any, **more: Any) -> dict[str, Any]:
    """Return a machine with a Choice of these rules."""
    return machine({"Type": "Choice", "Choices": list(rules), "Default": "B", **more}, states=B)


def mapped(**more: Any) -> dict[str, Any]:
    """Return a machine with a Map of these fields."""
    return machine({**MAP, **more})


VALID: list[tuple[str, Any]] = [
    ("pass", machine(PASS)),
    ("comment, version, timeout", machine(PASS, Comment="c", Version="1.0", TimeoutSeconds=5)),
    ("null paths", machine({**PASS, "InputPath": None, "OutputPath": None, "ResultPath": None})),
    ("context paths", machine({**PASS, "InputPath": "$$.Execution.Input"})),
    ("fail", machine({"Type": "Fail"})),
    ("fail by functions", machine({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.UUID()"})),
    ("wait", machine({"Type": "Wait", "Seconds": 0, "End": True})),
    ("wait until", machine({"Type": "Wait", "Timestamp": "2030-02-28T12:00:00.5+01:00", "End": True})),
    ("JSONata wait", machine({"Type": "Wait", "Seconds": "{% $states.input.s %}", "End": True, **JSONATA})),
    ("choice", choice(RULE, {"And": [{"Variable": "$.a", "NumericEquals": 1.5}], "Next": "B", "Comment": "c"})),
    ("nested choice", choice({"Not": {"Or": [{"Variable": "$$.x", "StringEqualsPath": "$.y"}]}, "Next": "B"})),
    ("JSONata choice", choice({"Condition": "{% $states.input.a = 1 %}", "Next": "B", "Output": 1}, **JSONATA)),
    ("retry", machine({**TASK, "Retry": [{"ErrorEquals": ["X"], "MaxAttempts": 0, "BackoffRate": 1}, RETRY]})),
    ("catch", machine({**TASK, "Catch": [CATCH, {"ErrorEquals": ["States.ALL"], "Next": "B"}]}, states=B)),
    (
        "JSONata catch",
        machine({**TASK, **JSONATA, "Catch": [{**CATCH, "Output": "{% $states.errorOutput %}"}]}, states=B),
    ),
    (
        "JSONata result",
        machine({**TASK, **JSONATA, "Output": "{% $states.result.a %}", "Assign": {"x": "{% $states.result %}"}}),
    ),
    ("parallel", machine({"Type": "Parallel", "Branches": [INNER], "End": True})),
    ("map", mapped(ItemsPath="$$.x", MaxConcurrency=0, ToleratedFailurePercentage=0.5, Label="l")),
    ("iterator", machine({"Type": "Map", "Iterator": INNER, "Parameters": {"a.$": "$"}, "End": True})),
    ("distributed", mapped(ItemProcessor=DISTRIBUTED, ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"a": 1}})),
    (
        "reader",
        mapped(
            ItemReader={
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItems": 5},
                "Parameters": {"Bucket": "b", "Key.$": "$.k"},
            },
            ResultWriter={"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}},
        ),
    ),
    ("writer config", mapped(ResultWriter={"WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}})),
    ("JSONata items", mapped(**JSONATA, Items="{% $states.input.a %}")),
    ("a list of items", mapped(**JSONATA, Items=[1, "{% $states.input.a %}"])),
    ("activity", machine({**TASK, "Resource": "arn:aws:states:us-east-1:123456789012:activity:a"})),
    ("sync", machine({**TASK, "Resource": "arn:aws:states:::states:startExecution.sync:2"})),
    ("sdk token", machine({**TASK, "Resource": "arn:aws:states:::aws-sdk:s3:getObject.waitForTaskToken"})),
    ("template", machine({**TASK, "Resource": "${F}"})),
    ("alias", machine({**TASK, "Resource": f"{LAMBDA}:live"})),
    ("credentials", machine({**TASK, "Credentials": {"RoleArn.$": "$.r"}})),
    ("timeouts", machine({**TASK, "TimeoutSeconds": 20, "HeartbeatSeconds": 5})),
    ("variables", machine({**OUTER_A}, states={"M": {**PASS, "Parameters": {"a.$": "$x.b"}}})),
    ("JSONata in JSONPath", machine({**PASS, "Parameters": {"a": "{% not read %}"}})),
    ("text as parameters", machine({**TASK, "Parameters": "$.a"})),
]

BROKEN: list[tuple[Any, str]] = [
    (
        choice({"And": [RULE_WITHIN], "IsNull": True, "Next": "B"}),
        "/States/A/Choices/0: `IsNull` needs a `Variable`",
    ),
    (machine({"Type": "Wait", "Timestamp": 5, "End": True}), "/States/A/Timestamp: a time as text is expected here"),
    (machine({**TASK, "Retry": [{"ErrorEquals": [""]}]}), "/States/A/Retry/0/ErrorEquals/0: the name of an error must"),
    (mapped(Label=5), "/States/A/Label: a text is expected"),
    (mapped(ItemReader={"Resource": 5}), "/States/A/ItemReader/Resource: a text is expected"),
    (
        mapped(ItemReader={**READER, "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}}),
        "/States/A/ItemReader/ReaderConfig: `CSVHeaders` is missing",
    ),
    (
        mapped(ItemReader={**READER, "ReaderConfig": {"InputType": "JSON", "CSVDelimiter": "COMMA"}}),
        "/States/A/ItemReader/ReaderConfig/CSVDelimiter: `CSVDelimiter` is for CSV only",
    ),
    (
        machine({**MAP, "Label": "l", "End": False, "Next": "M"}, states={"M": {**OTHER_MAP, "Label": "l"}}),
        "/States/M/Label: the label `l` is given twice: also at /States/A/Label",
    ),
    ({"StartAt": "A", "States": {"A": 5}}, "/States/A: a state is an object, and not a number"),
    (machine({**PASS, "Assign": {"a-b c": 1}}), "/States/A/Assign/a-b c: `a-b c` is no name of a variable"),
    ([], ": a machine is an object, and not a list"),
    ({}, ": `StartAt` is missing"),
    ({"Resources": {}}, ": this is a template, and no machine"),
    ({"StartAt": "A", "States": {}}, "/States: an object with at least one state"),
    ({"StartAt": "A", "States": []}, "/States: an object with at least one state"),
    (machine(PASS, StartAt="X"), "/StartAt: there is no state `X` here"),
    (machine(PASS, StartAt=1), "/StartAt: a text is expected here, and not a number"),
    (machine(PASS, startAt="A"), "/startAt: `startAt` is no field here; did you mean `StartAt`?"),
    (machine(PASS, Version="2.0"), "/Version: `2.0` is none of `1.0`"),
    (machine(PASS, TimeoutSeconds=0), "/TimeoutSeconds: the number must be from 1 to 99999999"),
    (machine(PASS, TimeoutSeconds=True), "/TimeoutSeconds: a whole number is expected"),
    (
        machine(PASS, TimeoutSeconds="${T}"),
        "/TimeoutSeconds: a whole number is expected here, and not a text; a template",
    ),
    (machine(PASS, QueryLanguage="jsonata"), "/QueryLanguage: `jsonata` is none of"),
    (machine({**PASS, "QueryLanguage": "JSONPath"}, **JSONATA), "/States/A: the query language of a state cannot be"),
    (machine("x"), "/States/A: a state is an object, and not a text"),
    (machine({"End": True}), "/States/A: `Type` must be one of"),
    (machine({"Type": "pass", "End": True}), "/States/A/Type: `pass` is no type"),
    (machine({"Type": "Pass"}), "/States/A: `Next` or `End` is missing"),
    (machine({"Type": "Pass", "End": False}), "/States/A: `Next` or `End` is missing"),
    (machine({**PASS, "Next": "B"}, states=B), "/States/A: only one of `Next`, `End`"),
    (machine({"Type": "Pass", "Next": "X"}, states=B), "/States/A/Next: there is no state `X` here"),
    (machine({"Type": "Pass", "Next": True}, states=B), "/States/A/Next: a text is expected here, and not a boolean"),
    (machine({"Type": "Pass", "End": "true"}), "/States/A/End: true or false is expected"),
    (machine(PASS, states=B), "/States/B: nothing leads to the state `B`"),
    (machine({"Type": "Pass", "Next": "A"}), "/States: no state ends"),
    (machine(PASS, states={"x" * 81: PASS}), f"/States/{'x' * 81}: the name of a state has at most 80 characters"),
    ({"StartAt": "", "States": {"": PASS}}, "/States/: the name of a state must not be empty"),
    (
        machine({**MAP, "ItemProcessor": {"StartAt": "A", "States": {"A": PASS}}}),
        "/States/A/ItemProcessor/States/A: the state `A` is there twice",
    ),
    (machine({**PASS, "Comment": 1}), "/States/A/Comment: a text is expected"),
    (machine({**PASS, "InputPath": "a"}), "/States/A/InputPath: a path must begin with `$` at column 1"),
    (machine({**PASS, "InputPath": "States.UUID()"}), "/States/A/InputPath: a path must begin"),
    (machine({**PASS, "ResultPath": "$.a[*]"}), "/States/A/ResultPath: only names and indexes"),
    (machine({**PASS, "ResultPath": "$$.a"}), "/States/A/ResultPath: the path must begin with `$`"),
    (machine({**PASS, "ResultPath": "$x"}), "/States/A/ResultPath: the path must begin with `$`"),
    (machine({**PASS, "Parameters": {"a.$": 1}}), "/States/A/Parameters/a.$: a path or an intrinsic function"),
    (machine({**PASS, "Parameters": [{"a.$": "x"}]}), "/States/A/Parameters/0/a.$: neither a path"),
    (machine({**PASS, "Parameters": {"a": 1, "a.$": "$"}}), "/States/A/Parameters/a.$: `a` is given twice"),
    (machine({**PASS, "Parameters": {"a.$": "States.No()"}}), "/States/A/Parameters/a.$: `States.No` is no intrinsic"),
    (
        machine({**PASS, "Parameters": {"a.$": "States.MathAdd('1', 2)"}}),
        "/States/A/Parameters/a.$: argument 1 of `States.MathAdd` must be a number",
    ),
    (
        machine({**PASS, "Parameters": {"a.$": "States.Hash($, 'CRC')"}}),
        "/States/A/Parameters/a.$: `States.Hash` knows MD5",
    ),
    (
        machine({**PASS, "Parameters": {"a.$": "States.JsonMerge($, $, true)"}}),
        "/States/A/Parameters/a.$: `States.JsonMerge` merges",
    ),
    (
        machine({**PASS, "Parameters": {"a.$": "States.Array(States.Base64Encode(1))"}}),
        "/States/A/Parameters/a.$: argument 1 of `States.Base64Encode`",
    ),
    (machine({**PASS, "ResultSelector": {}}), "/States/A/ResultSelector: `ResultSelector` is no field here"),
    (machine({**PASS, "Output": 1}), "/States/A/Output: `Output` is a field for JSONata"),
    (machine({**PASS, **JSONATA, "Parameters": {}}), "/States/A/Parameters: `Parameters` is a field for JSONPath"),
    (machine({**PASS, **JSONATA, "Output": "{% 1 + %}"}), "/States/A/Output: the JSONata expression cannot be read"),
    (
        machine({**PASS, **JSONATA, "Output": "{% 1 "}),
        "/States/A/Output: a JSONata expression must begin with `{%` and",
    ),
    (machine({**PASS, **JSONATA, "Output": ["1 %}"]}), "/States/A/Output/0: a JSONata expression must begin"),
    (machine({**PASS, **JSONATA, "Output": " {% 1 %} "}), "/States/A/Output: a JSONata expression must begin"),
    (machine({**PASS, **JSONATA, "Output": "{%}"}), "/States/A/Output: a JSONata expression must begin"),
    (
        machine({**PASS, **JSONATA, "Output": "{% phone[0] %}"}),
        "/States/A/Output: the expression has no document: `phone`",
    ),
    (machine({**PASS, **JSONATA, "Output": "{% $$.a %}"}), "/States/A/Output: the expression has no document: `$$`"),
    (
        machine({**PASS, **JSONATA, "Output": "{% $states.result %}"}),
        "/States/A/Output: `$states.result` is not available",
    ),
    (
        machine({**PASS, **JSONATA, "Output": "{% $states.errorOutput %}"}),
        "/States/A/Output: `$states.errorOutput` is not",
    ),
    (machine({**PASS, "Assign": []}), "/States/A/Assign: an object is expected"),
    (machine({**PASS, "Assign": {"states": 1}}), "/States/A/Assign/states: `states` is reserved"),
    (machine({**PASS, "Assign": {"a b": 1}}), "/States/A/Assign/a b: `a b` is no name of a variable"),
    (machine({**PASS, "Assign": {"v" * 81: 1}}), f"/States/A/Assign/{'v' * 81}: the name of a variable has at most 80"),
    (
        machine(
            OUTER_A,
            states={"M": {**MAP, "ItemProcessor": {"StartAt": "I", "States": {"I": {**PASS, "Assign": {"x.$": "$"}}}}}},
        ),
        "/States/M/ItemProcessor/States/I/Assign/x.$: the variable `$x` belongs to an outer scope: /States/A/Assign/x",
    ),
    (machine({"Type": "Fail", "Error": "e", "ErrorPath": "$.e"}), "/States/A: only one of `Error`, `ErrorPath`"),
    (machine({"Type": "Fail", "End": True}), "/States/A/End: `End` is no field here"),
    (
        machine({"Type": "Fail", "CausePath": "States.Array()"}),
        "/States/A/CausePath: `States.Array` is not allowed here",
    ),
    (machine({"Type": "Succeed", "Next": "A"}), "/States/A/Next: `Next` is no field here"),
    (
        machine({"Type": "Wait", "End": True}),
        "/States/A: one of `Seconds`, `SecondsPath`, `Timestamp`, `TimestampPath` is",
    ),
    (machine({"Type": "Wait", "End": True, **JSONATA}), "/States/A: one of `Seconds`, `Timestamp` is missing"),
    (
        machine({"Type": "Wait", "Seconds": 1, "SecondsPath": "$.a", "End": True}),
        "/States/A: only one of `Seconds`, `SecondsPath`",
    ),
    (
        machine({"Type": "Wait", "Seconds": 1.5, "End": True}),
        "/States/A/Seconds: a whole number is expected here, and not `1.5`",
    ),
    (machine({"Type": "Wait", "Seconds": -1, "End": True}), "/States/A/Seconds: the number must be from 0"),
    *[
        (machine({"Type": "Wait", "Timestamp": time, "End": True}), f"/States/A/Timestamp: `{time}` is no time")
        for time in (
            "2030-02-30T00:00:00Z",
            "2030-01-01",
            "2030-01-01t00:00:00z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:00:00",
        )
    ],
    (choice(), "/States/A/Choices: the list must not be empty"),
    (choice(1), "/States/A/Choices/0: an object is expected here, and not a number"),
    (choice({"Variable": "$.a", "IsNull": True}), "/States/A/Choices/0: `Next` is missing"),
    (choice({**RULE, "End": True}), "/States/A/Choices/0/End: `End` is no field here"),
    (choice({**RULE, "Next": "X"}), "/States/A/Choices/0/Next: there is no state `X`"),
    (choice(RULE, Default="X"), "/States/A/Default: there is no state `X`"),
    (choice({"Next": "B"}), "/States/A/Choices/0: one of `And`, `Or`, `Not`, `Variable` is missing"),
    (
        choice({"Variable": "$.a", "Next": "B"}),
        "/States/A/Choices/0: `Variable` needs one comparison, and no comparison is",
    ),
    (
        choice({**RULE, "IsNull": True}),
        "/States/A/Choices/0: `Variable` needs one comparison, and 2 comparisons are given",
    ),
    (choice({**RULE, "And": [RULE]}), "/States/A/Choices/0: only one of `And`, `Variable`"),
    (choice({"And": [RULE], "Next": "B"}), "/States/A/Choices/0/And/0/Next: `Next` is no field here"),
    (choice({"Or": [], "Next": "B"}), "/States/A/Choices/0/Or: the list must not be empty"),
    (choice({"Not": [RULE], "Next": "B"}), "/States/A/Choices/0/Not: an object is expected"),
    (choice({"Variable": "a", "IsNull": True, "Next": "B"}), "/States/A/Choices/0/Variable: a path must begin"),
    (choice({"Variable": "$.a", "IsNull": "x", "Next": "B"}), "/States/A/Choices/0/IsNull: true or false"),
    (choice({"Variable": "$.a", "NumericEquals": "1", "Next": "B"}), "/States/A/Choices/0/NumericEquals: a number"),
    (
        choice({"Variable": "$.a", "TimestampEquals": "x", "Next": "B"}),
        "/States/A/Choices/0/TimestampEquals: `x` is no time",
    ),
    (
        choice({"Variable": "$.a", "StringEqualsPath": "x", "Next": "B"}),
        "/States/A/Choices/0/StringEqualsPath: a path must",
    ),
    (
        choice({"Condition": "{% true %}", "Next": "B"}),
        "/States/A/Choices/0/Condition: `Condition` is a field for JSONata",
    ),
    (choice({**RULE}, **JSONATA), "/States/A/Choices/0/Variable: `Variable` is a field for JSONPath"),
    (choice({"Condition": "x", "Next": "B"}, **JSONATA), "/States/A/Choices/0/Condition: true or false is expected"),
    (machine({"Type": "Task", "End": True}), "/States/A: `Resource` is missing"),
    (machine({**TASK, "Resource": "f"}), "/States/A/Resource: `f` is no ARN or URI"),
    (
        machine({**TASK, "Resource": f"{LAMBDA}:a:b"}),
        f"/States/A/Resource: `{LAMBDA}:a:b` is no ARN of a Lambda function",
    ),
    (
        machine({**TASK, "Resource": "arn:aws:states:::lambda:invoke.sync"}),
        "/States/A/Resource: `lambda` starts no jobs",
    ),
    (
        machine({**TASK, "Resource": "arn:aws:states:::aws-sdk:glue:startJobRun.sync"}),
        "/States/A/Resource: `aws-sdk:glue` starts no jobs",
    ),
    (
        machine({**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.async"}),
        "/States/A/Resource: `.async` is no way to call",
    ),
    (machine({**TASK, "TimeoutSeconds": 5, "TimeoutSecondsPath": "$.t"}), "/States/A: only one of `TimeoutSeconds`"),
    (
        machine({**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}),
        "/States/A/HeartbeatSeconds: `HeartbeatSeconds` must be",
    ),
    (machine({**TASK, **JSONATA, "Credentials": {"a": 1}}), "/States/A/Credentials: `RoleArn` is missing"),
    (machine({**TASK, "Credentials": {"RoleArn": "r", "a": 1}}), "/States/A/Credentials/a: `a` is no field here: only"),
    (machine({**TASK, "Credentials": {}}), "/States/A/Credentials: `RoleArn` is missing"),
    (machine({**TASK, "Credentials": None}), "/States/A/Credentials: an object is expected here, and not null"),
    (machine({**TASK, "Retry": {}}), "/States/A/Retry: a list is expected"),
    (machine({**TASK, "Retry": [{}]}), "/States/A/Retry/0: `ErrorEquals` is missing"),
    (machine({**TASK, "Retry": [{"ErrorEquals": []}]}), "/States/A/Retry/0/ErrorEquals: the list must not be empty"),
    (machine({**TASK, "Retry": [{"ErrorEquals": [True]}]}), "/States/A/Retry/0/ErrorEquals/0: a text is expected"),
    (
        machine({**TASK, "Retry": [{**RETRY, "BackoffRate": 0.9}]}),
        "/States/A/Retry/0/BackoffRate: the number must be 1 or more",
    ),
    (
        machine({**TASK, "Retry": [{**RETRY, "IntervalSeconds": 0}]}),
        "/States/A/Retry/0/IntervalSeconds: the number must be",
    ),
    (
        machine({**TASK, "Retry": [{**RETRY, "MaxDelaySeconds": 31622400}]}),
        "/States/A/Retry/0/MaxDelaySeconds: the number must",
    ),
    (
        machine({**TASK, "Retry": [{**RETRY, "JitterStrategy": "HALF"}]}),
        "/States/A/Retry/0/JitterStrategy: `HALF` is none of",
    ),
    (
        machine({**TASK, "Retry": [{"ErrorEquals": ["States.ALL", "X"]}]}),
        "/States/A/Retry/0/ErrorEquals: `States.ALL` must be the only",
    ),
    (
        machine({**TASK, "Retry": [{"ErrorEquals": ["States.ALL"]}, RETRY]}),
        "/States/A/Retry/0/ErrorEquals: `States.ALL` must be in",
    ),
    (machine({**TASK, "Catch": [{"ErrorEquals": ["X"]}]}), "/States/A/Catch/0: `Next` is missing"),
    (machine({**TASK, "Catch": [{**CATCH, "Next": "X"}]}, states=B), "/States/A/Catch/0/Next: there is no state `X`"),
    (
        machine({**TASK, "Catch": [{**CATCH, "ResultPath": "$x"}]}, states=B),
        "/States/A/Catch/0/ResultPath: the path must begin",
    ),
    (machine({**PASS, "Catch": [CATCH]}, states=B), "/States/A/Catch: `Catch` is no field here"),
    (machine({"Type": "Parallel", "End": True}), "/States/A: `Branches` is missing"),
    (machine({"Type": "Parallel", "Branches": [], "End": True}), "/States/A/Branches: a list with at least one branch"),
    (machine({"Type": "Parallel", "Branches": [[]], "End": True}), "/States/A/Branches/0: an object is expected"),
    (
        machine({"Type": "Parallel", "Branches": [{**INNER, **JSONATA}], "End": True}),
        "/States/A/Branches/0/QueryLanguage: `Query",
    ),
    (machine({"Type": "Map", "End": True}), "/States/A: one of `ItemProcessor`, `Iterator` is missing"),
    (mapped(Iterator=INNER), "/States/A: only one of `ItemProcessor`, `Iterator`"),
    (
        mapped(ItemProcessor={"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "A"}}}),
        "/States/A/ItemProcessor/States/I/Next: there is no state `A` here",
    ),
    (mapped(ItemSelector={}, Parameters={}), "/States/A: only one of `Parameters`, `ItemSelector`"),
    (mapped(MaxConcurrency=-1), "/States/A/MaxConcurrency: the number must be from 0"),
    (mapped(MaxConcurrencyPath="$$.a"), "/States/A/MaxConcurrencyPath: the path must begin with `$` or `$name`"),
    (mapped(ToleratedFailurePercentage=101), "/States/A/ToleratedFailurePercentage: from 0 to 100 is allowed"),
    (
        mapped(ToleratedFailureCount=1, ToleratedFailureCountPath="$.a"),
        "/States/A: only one of `ToleratedFailureCount`",
    ),
    (mapped(ItemsPath=None), "/States/A/ItemsPath: a path is expected here, and not null"),
    (mapped(Label="a b"), "/States/A/Label: a label cannot contain ` `"),
    (mapped(Label="l" * 41), "/States/A/Label: a label has 1 to 40 characters"),
    (mapped(ItemBatcher={}), "/States/A/ItemBatcher: `MaxItemsPerBatch` or `MaxInputBytesPerBatch` is missing"),
    (mapped(ItemBatcher={"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.a"}), "/States/A/ItemBatcher: only one of"),
    (
        mapped(ItemReader={"Resource": "arn:aws:states:::sqs:receive"}),
        "/States/A/ItemReader/Resource: `arn:aws:states:::sqs",
    ),
    (
        mapped(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "XML"}}),
        "/States/A/ItemReader/ReaderConfig/InputType: `XML`",
    ),
    (
        mapped(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV"}}),
        "/States/A/ItemReader/ReaderConfig: `CSVHeaderLocation` is missing",
    ),
    (
        mapped(
            ItemReader={
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"MaxItems": 1, "MaxItemsPath": "$.a"},
            }
        ),
        "/States/A/ItemReader/ReaderConfig: only one of",
    ),
    (mapped(ResultWriter={}), "/States/A/ResultWriter: `Resource` or `WriterConfig` is missing"),
    (
        mapped(ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "INLINE", "ExecutionType": "STANDARD"}}),
        "/States/A/ItemProcessor/ProcessorConfig/ExecutionType: `Exec",
    ),
    (
        mapped(ItemProcessor={**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
        "/States/A/ItemProcessor/ProcessorConfig: `ExecutionType` is missing",
    ),
    (mapped(**JSONATA, Items="a"), "/States/A/Items: a list, an object or an expression is expected"),
    (mapped(Items=[]), "/States/A/Items: `Items` is a field for JSONata"),
    # A state within a Map takes the query language of the machine, not that of the Map.
    (
        mapped(**JSONATA, ItemProcessor={"StartAt": "I", "States": {"I": {**PASS, "Output": 1}}}),
        "/States/A/ItemProcessor/States/I/Output: `Output` is a field",
    ),
]


@pytest.mark.parametrize("value", [value for _, value in VALID], ids=[name for name, _ in VALID])
def test_a_valid_machine_has_no_error(value: Any) -> None:
    assert reported(value) == []


@pytest.mark.parametrize(("value", "problem"), BROKEN)
def test_a_broken_rule_is_reported_at_its_place(value: Any, problem: str) -> None:
    found = reported(value)
    assert [line for line in found if line.startswith(problem)], found


def test_all_is_reported_at_once() -> None:
    found = reported(
        {"StartAt": "X", "States": {"A": {"Type": "Pass", "Next": "Y", "InputPath": "a"}, "B": {"Type": "Task"}}}
    )
    assert [line.split(":")[0] for line in found] == [
        *("/States/A/InputPath", "/States/B", "/States/B", "/States/A/Next", "/StartAt", "/States"),
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"},
            "do not support `.waitForTaskToken`",
        ),
        ({**TASK, "Resource": "arn:aws:states:::states:startExecution.sync"}, "do not support `.sync`"),
        ({**TASK, "Resource": "arn:aws:states:us-east-1:123456789012:activity:a"}, "do not support activities"),
        ({**MAP, "ItemProcessor": DISTRIBUTED}, "do not support distributed maps"),
    ],
)
def test_an_express_workflow_may_do_less(state: State, words: str) -> None:
    assert reported(machine(state)) == []
    (found,) = reported(machine(state), express=True)
    assert words in found


def test_the_children_of_a_distributed_map_may_be_express() -> None:
    inner = {"StartAt": "I", "States": {"I": {**TASK, "Resource": "arn:aws:states:::batch:submitJob.sync"}}}
    processor = {**inner, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    assert reported(mapped(ItemProcessor=processor)) == [
        "/States/A/ItemProcessor/States/I/Resource: Express workflows do not support `.sync`"
    ]


def test_a_variable_that_no_state_assigns_is_a_warning() -> None:
    state = {**PASS, "Parameters": {"a.$": "States.Array($x, States.Array($.b[?(@.c == $y)]))"}}
    assert reported(machine(state), Level.WARNING) == [
        "/States/A/Parameters/a.$: no state assigns the variable `$x` here",
        "/States/A/Parameters/a.$: no state assigns the variable `$y` here",
    ]


def test_a_distributed_map_has_variables_of_its_own() -> None:
    inner = {"StartAt": "I", "States": {"I": {**PASS, "Assign": {"x": 1}, "Parameters": {"a.$": "$y"}}}}
    states = {"M": {**MAP, "ItemProcessor": {**DISTRIBUTED, **inner}}}
    outer = {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "M"}
    assert reported(machine(outer, states=states)) == []
    assert reported(machine(outer, states=states), Level.WARNING) == [
        "/States/M/ItemProcessor/States/I/Parameters/a.$: no state assigns the variable `$y` here"
    ]


@pytest.mark.parametrize(
    ("state", "level", "words"),
    [
        ({**PASS, "Parameters": {"a": "$.b"}}, Level.NOTE, "only where the name of its field ends with `.$`"),
        ({**PASS, "Parameters": {"a": "States.UUID()"}}, Level.NOTE, "only where the name of its field ends with `.$`"),
        ({**PASS, "Parameters": ["{% 1 %}"]}, Level.NOTE, "the query language here is JSONPath"),
        ({**PASS, "Result": {"a.$": "$"}}, Level.NOTE, "Result is as it is"),
        ({**PASS, "Assign": {"a-b": 1}}, Level.WARNING, "AWS refuses it"),
        ({**PASS, "Parameters": {"a.$": "States.Format('{}')"}}, Level.WARNING, "1 places `{}` for 0 values"),
        ({**TASK, "Retry": [{"ErrorEquals": ["States.Foo"]}]}, Level.WARNING, "it never happens"),
        ({**TASK, "Credentials": {"a": 1}}, Level.WARNING, "`RoleArn`, which is missing"),
    ],
)
def test_what_is_allowed_and_doubtful_is_reported_too(state: State, level: Level, words: str) -> None:
    assert reported(machine(state)) == []
    (found,) = reported(machine(state), level)
    assert words in found
