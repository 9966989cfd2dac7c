"""`states:startExecution` of a machine that was imported too: a `call` or a `start` of its flow."""

from __future__ import annotations

import re
from typing import Any, Final

from chalicelib.asl.convert.flow.steps import Plain, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, Kind, Obj, Shape, as_expression, get
from chalicelib.asl.convert.jsonata.expressions import RESULT, Func, Get, Literal, Word, bare
from chalicelib.asl.convert.states.drafts import Draft
from chalicelib.asl.convert.states.failures import Failures
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.asl.convert.states.resources import Resource
from chalicelib.language.format import spelling
from chalicelib.model.flow import DEFAULT_STATE, STOPPED_STATE

_PLACEHOLDER: Final = re.compile(r"\$\{([^{}.]+)(?:\.\w+)?\}")


def read_execution(reader: Reader, resource: Resource, given: Document) -> Draft | None:
    """Return the call of a flow; None where the machine is not known, or is this one."""
    if f"{resource.service}:{resource.operation}" != "states:startExecution" or resource.waits_for_token:
        return None
    written = bare(as_expression(get(given, "StateMachineArn")))
    flow = reader.machine.flows.get(_machine_named(written.value if isinstance(written, Literal) else None))
    if flow is None or flow == reader.machine.name:
        return None
    step = Step("call" if resource.pattern else "start", reader.name)
    step.properties["flow"] = Plain(spelling.name(flow))
    sent = get(given, "Input")
    step.properties["input"] = Sent(sent if _has(given, "Input") else Literal({}), group=True)
    if not resource.pattern and _has(given, "Name"):
        step.properties["name"] = Sent(bare(as_expression(get(given, "Name"))))
    timeout = reader.duration("TimeoutSeconds", longest=True)
    if timeout is not None and resource.pattern:
        step.properties["timeout"] = timeout
    failures = Failures(
        timed=timeout is not None, evaluates=reader.is_jsonata, own=STOPPED_STATE if resource.pattern else ""
    )
    reader.repeated(step, failures)
    return Draft(step, [reader.succeeded((DEFAULT_STATE,), _result(resource, reader)), *reader.caught(failures)])


def _machine_named(arn: Any) -> str:
    """Return the name of a machine in its ARN; of `${Name}` and `${Name.Arn}`, the name that a template has for it."""
    last = arn.rpartition(":")[2] if isinstance(arn, str) else ""
    found = _PLACEHOLDER.fullmatch(last)
    return found[1] if found else last


def _has(given: Document, name: str) -> bool:
    if isinstance(given, Literal):
        return isinstance(given.value, dict) and name in given.value
    return isinstance(given, Obj) and name in given.members


def _result(resource: Resource, reader: Reader) -> Document:
    match resource.pattern:
        case ".sync:2":
            return Shape(Kind.ENDED, RESULT, reader.pointer)
        case ".sync":
            return Obj(None, {"Output": Func("$string", (RESULT,)), "Status": Literal("SUCCEEDED")})
        case _:
            return Obj(None, {"ExecutionArn": Get(RESULT, "name", True), "StartDate": Word("$now")})
