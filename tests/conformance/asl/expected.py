"""The cases of the project's suite in which Echoer differs from AWS, each with its reason.

A case that is not listed must pass, and a listed one must not (test_suite.py).
"""

from __future__ import annotations

from typing import Final

_ARNS: Final = "Echoer has no ARNs of executions: the id of a run stands in their place"
_UNNAMED: Final = "a failure without a name is called TaskFailed; AWS saves null"
_NOT_RECORDED: Final = "what its task was answered was not recorded"

EXPECTED: Final = {
    "outputdecl/test_output.py::TestArgumentsBase::test_base_cases[BASE_EXPR]": _ARNS,
    "express/test_express_async.py::TestExpressAsync::test_query_runtime_memory": _ARNS,
    "base/test_base.py::TestSnfBase::test_query_context_object_values": _ARNS,
    "context_object/test_context_object.py::TestSnfBase::test_input_path[$$]": _ARNS,
}
