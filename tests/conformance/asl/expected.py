"""The cases of the project's suite in which Echoer differs from AWS, each with its reason.

A case that is not listed must pass, and a listed one must not (test_suite.py).
"""

from __future__ import annotations

from typing import Final

_ARNS: Final = "Echoer has no ARNs of executions: the id of a run stands in their place"
_UNNAMED: Final = "a failure without a name is called TaskFailed; AWS saves null"
_NOT_RECORDED: Final = "what its task was answered was not recorded"

_NO_ERROR_FIELD: Final = "callback/test_callback.py::TestCallback::test_sqs_failure_in_wait_for_task_tok_no_error_field"
_SCENARIOS: Final = "scenarios/test_base_scenarios.py::TestBaseScenarios"
OWN_MISSES: Final = {
    "own::j wait 1.5": "a wait may take 1.5 seconds; AWS fails",
}
"""The cases of `own.jsonl` in which Echoer differs from what AWS documents."""

EXPECTED: Final[dict[str, str]] = {
    "outputdecl/test_output.py::TestArgumentsBase::test_base_cases[BASE_EXPR]": _ARNS,
    "express/test_express_async.py::TestExpressAsync::test_query_runtime_memory": _ARNS,
    "base/test_base.py::TestSnfBase::test_query_context_object_values": _ARNS,
    "context_object/test_context_object.py::TestSnfBase::test_input_path[$$]": _ARNS,
    "intrinsic_functions/test_math_operations_jsonata.py::TestMathOperationsJSONata::test_math_random_seeded": (
        "an expression that calls an unknown function is refused when it is imported; AWS fails when it is run"
    ),
    "base/test_wait.py::TestSfnWait::test_base_wait_seconds_path[1.5]": "a wait may take 1.5 seconds; AWS fails",
    "error_handling/test_aws_sdk.py::TestAwsSdk::test_s3_no_such_key": (
        "a Fail without an Error behind a Catch keeps the error that was caught; AWS forgets it"
    ),
    "error_handling/test_task_service_lambda.py::TestTaskServiceLambda::test_invoke_timeout": (
        "the cause of a timeout is Echoer's own text; AWS saves none"
    ),
    f"{_NO_ERROR_FIELD}[SQS_PARALLEL_WAIT_FOR_TASK_TOKEN]": _UNNAMED,
    f"{_NO_ERROR_FIELD}[SQS_WAIT_FOR_TASK_TOKEN_CATCH]": _UNNAMED,
    f"{_SCENARIOS}::test_map_state_nested_config_distributed_no_max_max_concurrency": _NOT_RECORDED,
    "express/test_express_sync.py::TestExpressSync::test_catch": _NOT_RECORDED,
    "express/test_express_sync.py::TestExpressSync::test_retry": _NOT_RECORDED,
    f"{_SCENARIOS}::test_map_item_reader_csv_headers_decl_duplicate_headers": (
        "headers that are there twice are refused when the machine is imported; AWS fails when it is run"
    ),
    f"{_SCENARIOS}::test_map_item_reader_json_no_json_list_object": (
        "what is no list of items is an ExpressionFailed; AWS has an error of its own, States.ItemReaderFailed"
    ),
    f"{_SCENARIOS}::test_map_item_reader_csv_max_items_paths[1.5]": "a MaxItems of 1.5 reads one item more; AWS fails",
}
