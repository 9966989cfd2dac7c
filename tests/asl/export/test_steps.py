"""Each kind of step as a state."""

from __future__ import annotations

import pytest

from tests.asl.export.flows import exported, machine, states

TOKEN = "{% $states.context.Task.Token %}"


def test_set_is_a_pass_state_that_assigns() -> None:
    found = machine("flow f vars = (n = 1); set Count => (DONE -> done) { save = (n = ${ $vars.n + 1 }); }; flow_end")
    assert found == {
        "QueryLanguage": "JSONata",
        "StartAt": "Start",
        "States": {
            "Start": {"Type": "Pass", "Assign": {"n": 1}, "Next": "Count"},
            "Count": {"Type": "Pass", "Assign": {"n": "{% $n + 1 %}"}, "Output": "{% null %}", "End": True},
        },
    }


def test_waits() -> None:
    found = states(
        """flow f input = (str at, str grace, int minutes);
        wait A => (DONE -> B) { for = 90s; };
        wait B => (DONE -> C) { until = ${ $input.at }; };
        wait C => (DONE -> D) { for = ${ $input.minutes & "m" }; };
        wait D => (DONE -> done (output = 1)) { for = ${ $input.grace }; };
        flow_end"""
    )
    assert found["A"] == {"Type": "Wait", "Seconds": 90, "Next": "B"}
    assert found["B"] == {"Type": "Wait", "Timestamp": "{% $states.context.Execution.Input.at %}", "Next": "C"}
    assert found["C"]["Seconds"] == "{% $number($states.context.Execution.Input.minutes) * 60 %}"
    assert found["D"]["Seconds"].startswith("{% ($length := $states.context.Execution.Input.grace; $ceil(")
    assert found["D"]["Output"] == 1


def test_deci_is_a_choice_whose_conditions_are_booleans() -> None:
    found = states(
        """flow f input = any;
        deci Size => (when ${ $input.n > 3 } -> done (output = "big") | when ${ $input.vip } -> Count
            | else -> stopped (error = "TooSmall", cause = ${ "n is " & $input.n }));
        set Count => (DONE -> done (output = 2));
        flow_end"""
    )
    assert found["Size"] == {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% ($states.context.Execution.Input.n > 3) = true %}", "Output": "big", "Next": "Done"},
            {"Condition": "{% ($states.context.Execution.Input.vip) = true %}", "Next": "Count"},
        ],
        "Default": "SizeStopped",
    }
    assert found["SizeStopped"] == {
        "Type": "Fail",
        "Error": "TooSmall",
        "Cause": '{% "n is " & $states.context.Execution.Input.n %}',
    }
    assert found["Done"] == {"Type": "Succeed"}


def test_a_deci_without_else_fails_as_step_functions_does() -> None:
    found = states("flow f input = any; deci A => (when ${ $input.n = 1 } -> done (output = 1)); flow_end")
    assert "Default" not in found["A"]


def test_lambda_without_callback_is_a_task_whose_result_is_handed_on() -> None:
    found = states(
        """flow f input = any;
        step Charge => (OK -> Book) { action = charge; args = ${ $input }; save = (id = ${ $result.id }); };
        step Book => (OK -> done) { action = charge; args = ${ { "of": $result, "id": $vars.id } }; };
        flow_end"""
    )
    assert found["Charge"] == {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "charge-card", "Payload": "{% $states.context.Execution.Input %}"},
        "Assign": {"id": "{% $exists($states.result.Payload.id) ? $states.result.Payload.id : null %}"},
        "Output": "{% $states.result.Payload %}",
        "Next": "Book",
    }
    assert found["Book"]["Arguments"]["Payload"] == '{% { "of": $states.input, "id": $id } %}'
    assert found["Book"]["End"] is True


def test_operations_of_aws() -> None:
    found = states(
        """action scan addr = "dynamodb:scan"; method = aws; return = (OK); action_end
        /
        action ask addr = "sqs:sendMessage"; method = aws; callback = open; return = (YES | NO); action_end
        /
        action query addr = "athena:startQueryExecution.sync"; method = aws; return = (OK); action_end
        /
        flow f
        step Put => (OK -> Scan) { action = put; args = (TableName = "t", Item = { "id": { "S": "1" } }); };
        step Scan => (OK -> Ask) { action = scan; args = (tableName = "t"); };
        step Ask => (YES -> Query | NO -> stopped) {
            action = ask; timeout = 1d; heartbeat = 1h;
            args = (QueueUrl = "https://sqs.example/q", MessageBody = { "token": ${ $step.token } });
        };
        step Query => (OK -> done) { action = query; args = (QueryString = "SELECT 1"); };
        flow_end"""
    )
    assert found["Put"]["Resource"] == "arn:aws:states:::dynamodb:putItem"
    assert found["Scan"]["Resource"] == "arn:aws:states:::aws-sdk:dynamodb:scan"
    assert found["Scan"]["Arguments"] == {"TableName": "t"}
    assert found["Ask"]["Resource"] == "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    assert found["Ask"]["Arguments"]["MessageBody"] == {"token": TOKEN}
    assert (found["Ask"]["TimeoutSeconds"], found["Ask"]["HeartbeatSeconds"]) == (86_400, 3_600)
    assert found["AskRoute"]["Choices"] == [
        {"Condition": '{% $states.input.ackState = "YES" %}', "Next": "Query"},
        {"Condition": '{% $states.input.ackState = "NO" %}', "Next": "AskStopped"},
    ]
    assert found["Query"]["Resource"] == "arn:aws:states:::athena:startQueryExecution.sync"


def test_plain_https_is_an_http_task_and_its_statuses_are_errors() -> None:
    found = states(
        """flow f input = (str id);
        step Find => (FOUND -> done | MISSING -> done (output = "none")) { action = find; };
        flow_end"""
    )
    assert found["Find"] == {
        "Type": "Task",
        "Resource": "arn:aws:states:::http:invoke",
        "Arguments": {
            "ApiEndpoint": '{% "https://shop.example/orders/" & '
            "$encodeUrlComponent($string($states.context.Execution.Input.id)) %}",
            "Method": "GET",
            "Authentication": {"ConnectionArn": "${ConnectionArn}"},
        },
        "Catch": [{"ErrorEquals": ["States.Http.StatusCode.404"], "Output": "none", "Next": "Done"}],
        "Output": "{% $states.result.ResponseBody %}",
        "End": True,
    }


def test_a_service_with_callback_is_called_by_a_function_with_a_task_token() -> None:
    text = "flow f step Build => (BUILT -> done | BROKEN -> stopped) { action = build; timeout = 1h; }; flow_end"
    found = states(text)
    assert found["Build"] == {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {
            "FunctionName": "echoer-shim",
            "Payload": {
                "action": "build",
                "method": "http",
                "addr": "http://build.example/run",
                "flowId": "{% $states.context.Execution.Name %}",
                "step": "Build",
                "args": {"project": "{% $states.context.Execution.Input.project %}"},
                "ackStates": ["BUILT", "BROKEN"],
                "token": TOKEN,
            },
        },
        "TimeoutSeconds": 3_600,
        "Next": "BuildRoute",
    }
    assert found["BuildRoute"]["Choices"][0] == {
        "Condition": '{% $states.input.ackState = "BUILT" %}',
        "Output": "{% $states.input.data %}",
        "Next": "Done",
    }
    assert found["BuildStopped"]["Cause"] == "step 'Build' returned BROKEN, which leads to stopped"
    (note,) = exported(text).problems
    assert (note.level, note.pointer) == ("note", "/steps/0")
    assert "SendTaskSuccess" in note.message


def test_fork_is_a_parallel_state_and_its_result_a_map() -> None:
    found = states(
        """flow f input = any;
        fork Both => (DONE -> done (output = ${ $result.a }) | FAIL -> Sorry) {
            branch a { step A => (OK -> done) { action = charge; args = ${ $input }; }; };
            branch b { vars = (n = 0); set B => (DONE -> done (output = ${ $vars.n })) { save = (n = 1); }; };
        };
        set Sorry => (DONE -> done (output = "sorry"));
        flow_end"""
    )
    one, other = found["Both"]["Branches"]
    assert one["States"]["A"]["End"] is True
    assert other == {
        "StartAt": "StartB",
        "States": {
            "StartB": {"Type": "Pass", "Assign": {"n": 0}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {"n": 1}, "Next": "BDone"},
            "BDone": {"Type": "Succeed", "Output": "{% $n %}"},
        },
    }
    assert found["Both"]["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "Sorry"}]
    assert found["Both"]["Output"] == "{% $states.result[0] %}"


def test_each_is_a_map_state_whose_items_see_the_item_and_its_index() -> None:
    found = states(
        """flow f input = any;
        each All => (DONE -> done) {
            items = ${ $input.orders[total > 10] }; max = 5;
            step One => (OK -> done) { action = charge; args = ${ { "order": $item, "at": $index } }; };
        };
        flow_end"""
    )
    assert found["All"] == {
        "Type": "Map",
        "Items": "{% [$states.context.Execution.Input.orders[total > 10]] %}",
        "ItemSelector": {
            "item": "{% $states.context.Map.Item.Value %}",
            "index": "{% $states.context.Map.Item.Index %}",
        },
        "MaxConcurrency": 5,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "One",
            "States": {
                "One": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Arguments": {
                        "FunctionName": "charge-card",
                        "Payload": '{% { "order": $states.input.item, "at": $states.input.index } %}',
                    },
                    "Output": "{% $states.result.Payload %}",
                    "End": True,
                }
            },
        },
        "End": True,
    }


def test_an_item_that_later_steps_read_is_kept_in_a_variable() -> None:
    found = states(
        """flow f input = (list orders);
        each All => (DONE -> done) {
            items = ${ $need($input.orders, "array") };
            step One => (OK -> Two) { action = charge; args = ${ $item }; };
            step Two => (OK -> done (output = ${ $item.id })) { action = charge; args = ${ [$index, $item.id] }; };
        };
        flow_end"""
    )
    inner = found["All"]["ItemProcessor"]
    assert inner["StartAt"] == "StartOne"
    assert inner["States"]["StartOne"]["Assign"] == {
        "index": "{% $states.input.index %}",
        "item": "{% $states.input.item %}",
    }
    assert inner["States"]["Two"]["Arguments"]["Payload"] == "{% [$index, $item.id] %}"


def test_batches_and_tolerated_failures() -> None:
    found = states(
        """flow f input = (list rows);
        each A => (DONE -> B) {
            items = ${ $input.rows }; batch = 25;
            step One => (OK -> done) { action = charge; args = ${ $item }; };
        };
        each B => (DONE -> done) {
            items = [1, 2, 3]; tolerate = "10%";
            step Two => (OK -> done) { action = charge; args = ${ $item }; };
        };
        flow_end"""
    )
    assert found["A"]["Items"] == "{% $partition([$states.context.Execution.Input.rows], 25) %}"
    assert (found["B"]["Items"], found["B"]["ToleratedFailurePercentage"]) == ([1, 2, 3], 10)
    assert found["B"]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


@pytest.mark.parametrize(
    ("tolerate", "member", "value"),
    [
        ("2", "ToleratedFailureCount", 2),
        ('"2.5%"', "ToleratedFailurePercentage", 2.5),
        ("${ $input.few }", "ToleratedFailureCount", "{% $number($states.context.Execution.Input.few) %}"),
        ('${ $input.few & "%" }', "ToleratedFailurePercentage", "{% $number($states.context.Execution.Input.few) %}"),
    ],
)
def test_how_many_items_may_fail(tolerate: str, member: str, value: object) -> None:
    found = states(
        f"""flow f input = any;
        each A => (DONE -> done) {{ items = [1]; tolerate = {tolerate}; step B => (OK -> done) {{
            action = charge; args = ${{ $item }}; }}; }};
        flow_end"""
    )
    assert found["A"][member] == value


def test_call_and_start_are_executions_of_other_machines() -> None:
    found = exported(
        """flow invoice input = (str id); set A => (DONE -> done); flow_end
        /
        flow f input = (str id);
        call Invoice => (DONE -> Later | STOPPED -> done (output = "no")) {
            flow = invoice; input = (id = ${ $input.id }); timeout = 1h;
        };
        start Later => (DONE -> done (output = ${ $result.name })) {
            flow = invoice; input = (id = "x"); name = "n-1";
        };
        flow_end""",
        "f",
    ).machine["States"]
    arn = "arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:invoice"
    assert found["Invoice"]["Resource"] == "arn:aws:states:::states:startExecution.sync:2"
    assert found["Invoice"]["Arguments"] == {
        "StateMachineArn": arn,
        "Input": {"id": "{% $states.context.Execution.Input.id %}"},
    }
    assert found["Invoice"]["TimeoutSeconds"] == 3_600
    assert found["Invoice"]["Catch"] == [{"ErrorEquals": ["States.TaskFailed"], "Output": "no", "Next": "Done"}]
    assert found["Later"]["Arguments"] == {"StateMachineArn": arn, "Input": {"id": "x"}, "Name": "n-1"}
    assert found["Later"]["Output"] == '{% $split($states.result.ExecutionArn, ":")[-1] %}'


def test_the_flow_itself() -> None:
    found = machine(
        """flow f
        description = "Sends a parcel."; timeout = 2h;
        input = (str id, int tries = 3); vars = (left = ${ $input.tries }, log = []);
        output = ${ { "id": $input.id, "left": $vars.left } };
        step A => (OK -> done) { action = charge; args = (${ $input.id }); };
        flow_end""".replace("args = (${ $input.id })", "args = ${ $input.id }")
    )
    assert (found["Comment"], found["TimeoutSeconds"]) == ("Sends a parcel.", 7_200)
    merged = '$merge([{"tries": 3}, $states.context.Execution.Input])'
    assert found["States"]["Start"]["Assign"] == {
        "input": "{% " + merged + " %}",
        "left": "{% (" + merged + ").tries %}",
        "log": [],
    }
    assert found["States"]["A"]["Output"] == '{% { "id": $input.id, "left": $left } %}'


def test_what_is_needed_fails_by_itself() -> None:
    found = states(
        """flow f input = any;
        step A => (OK -> done (output = ${ $need($vars.id) })) {
            action = charge; args = ${ $need($input.order) };
            save = (
                id = ${ $need($result.id) }, sum = ${ $need($result.n) + 1 }, kind = ${ $need($result.k, "string") }
            );
        };
        flow_end"""
    )
    assert found["A"]["Arguments"]["Payload"] == "{% $states.context.Execution.Input.order %}"
    payload = "$states.result.Payload"
    assert found["A"]["Assign"]["id"] == "{% " + payload + ".id %}"
    assert found["A"]["Assign"]["sum"].startswith("{% ($exists(" + payload + ".n) ?")
    assert found["A"]["Assign"]["kind"].startswith("{% ($type(" + payload + '.k) = "string" ?')
    assert found["ADone"]["Output"] == "{% $id %}"
