"""Tasks as steps with an action."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.asl.convert.flow.steps import Action, Plain, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, Kind, Obj, Shape, as_expression, get
from chalicelib.asl.convert.jsonata.durations import LONGEST, seconds
from chalicelib.asl.convert.jsonata.expressions import RESULT, Literal, bare
from chalicelib.asl.convert.jsonata.names import has_placeholder, snake_word, without_placeholders
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.drafts import Draft
from chalicelib.asl.convert.states.executions import read_execution
from chalicelib.asl.convert.states.failures import Failures
from chalicelib.asl.convert.states.http_calls import http_call
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.asl.convert.states.resources import Resource, read_resource
from chalicelib.asl.problems import Level
from chalicelib.language import UnknownOperation
from chalicelib.language.limits import MAX_REPLY_TIMEOUT_S
from chalicelib.model.actions import REPLY_TIMEOUT_S

OK: Final = "OK"
_FUNCTION: Final = re.compile(
    r"(?:arn:aws[\w\-]*:lambda:[a-z0-9\-]+:[0-9]{12}:function:)?(?P<name>[A-Za-z0-9_\-]{1,140})"
    r"(?::(?P<version>[A-Za-z0-9$_\-]{1,128}))?"
)
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_\-]+")
_NOT_IN_OPERATIONS: Final = re.compile(r"[^a-z0-9-]")
_INVOKE: Final = frozenset({"FunctionName", "Payload", "Payload.$"})


@dataclass(frozen=True, slots=True)
class Called:
    """What a Task calls: its action, its args, and what its result is in AWS."""

    action: Action
    args: Document | None
    result: Document
    answered: bool = False
    """It is answered later, by a token or by a person."""
    grouped: bool = True


def read_task(reader: Reader) -> Draft:
    """Return a Task as a `step`."""
    resource = reader.state.get("Resource")
    if not isinstance(resource, str):
        raise Unsayable("a Task needs a Resource that is a text", "Resource")
    found = read_resource(resource)
    if found.kind == "integration" and found.service == "states" and reader.machine.flows:
        execution = read_execution(reader, found, _given(reader))
        if execution is not None:
            return execution
    called = _called(reader, found)
    step = Step("step", reader.name, action=called.action)
    if called.args is not None:
        step.properties["args"] = Sent(called.args, group=called.grouped)
    if called.action.properties.get("method") == "aws":
        _credentials(reader, step)
    failures = Failures(timed=_times(reader, step, called), evaluates=reader.is_jsonata)
    reader.repeated(step, failures, delivered=True)
    return Draft(step, [reader.succeeded((OK,), called.result), *reader.caught(failures)])


def _times(reader: Reader, step: Step, called: Called) -> bool:
    """Set `timeout` and `heartbeat`; return whether the state says one of them."""
    timeout, heartbeat = reader.duration("TimeoutSeconds", longest=True), reader.duration("HeartbeatSeconds")
    if called.answered:
        step.properties["timeout"] = timeout or Plain(LONGEST)
        if heartbeat is not None:
            step.properties["heartbeat"] = heartbeat
    elif timeout is not None or heartbeat is not None:
        # Nothing reports while a call is under way, so the time between two reports bounds the call too.
        step.properties["timeout"] = timeout or heartbeat or Plain(LONGEST)
    return timeout is not None or heartbeat is not None


def _called(reader: Reader, resource: Resource) -> Called:
    match resource.kind:
        case "integration" if resource.service == "lambda" and resource.operation == "invoke":
            return _invoked(reader, resource)
        case "integration" if resource.service == "http" and resource.operation == "invoke":
            action, args, grouped, result = http_call(reader, _given(reader))
            return Called(action, args, result, grouped=grouped)
        case "integration":
            return _operation(reader, resource)
        case "activity":
            return _activity(reader, resource)
        case "function":
            return _function(reader, resource.name)
    if has_placeholder(resource.name):
        reader.tell(Level.NOTE, f"a template fills in `{resource.name[:80]}`: give --var NAME=VALUE", "Resource")
    else:
        words = (
            f"`{resource.name[:80]}` is no function, activity or integration: the flow calls a function in its place"
        )
        reader.tell(Level.WARNING, words, "Resource")
    return _function(reader, resource.name)


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _function(reader: Reader, name: str) -> Called:
    return Called(_function_action(reader, name), _given(reader), RESULT)


def _function_action(reader: Reader, name: str) -> Action:
    address = _function_address(name)
    properties = {"addr": address, "method": "lambda", "args": "any", "return": "(OK)", "callback": "none"}
    properties |= _reply_timeout(reader)
    short = _FUNCTION.fullmatch(address)
    wish = snake_word(short["name"] if short else address, "function")
    for ending in ("_arn", "_function"):
        wish = wish.removesuffix(ending) or wish
    return reader.machine.actions.take(wish, properties)


def _reply_timeout(reader: Reader) -> dict[str, str]:
    """Return how long the answer to one call is waited for, where the state says more than the usual time."""
    timeout = reader.state.get("TimeoutSeconds")
    if isinstance(timeout, (int, float)) and timeout > REPLY_TIMEOUT_S:
        if timeout > MAX_REPLY_TIMEOUT_S:
            message = f"the answer of a function is waited for at most {MAX_REPLY_TIMEOUT_S} seconds"
            reader.tell(Level.WARNING, message, "TimeoutSeconds")
        return {"reply_timeout": seconds(min(timeout, MAX_REPLY_TIMEOUT_S)) or ""}
    reader.machine.tell(
        "", Level.NOTE, f"a function that takes more than {REPLY_TIMEOUT_S} seconds needs reply_timeout"
    )
    return {}


def _function_address(name: str) -> str:
    """Return the address of a function. A template may still have to fill in its name."""
    if _FUNCTION.fullmatch(name):
        return name
    plain = without_placeholders(name)
    if _FUNCTION.fullmatch(plain):
        return plain
    last, _, version = plain.partition(":function:")[2].partition(":") if ":function:" in plain else (plain, "", "")
    word = _NOT_IN_NAMES.sub("_", last).strip("_")[:140] or "function"
    version = _NOT_IN_NAMES.sub("_", version.replace("$LATEST", ""))[:128]
    return f"{word}:{version}" if version else word


def _given(reader: Reader) -> Document:
    """Return what the state sends: Parameters or Arguments, else its document."""
    name = "Arguments" if reader.is_jsonata else "Parameters"
    return reader.input.field(reader.state, name) if name in reader.state else reader.input.document


def _parameters(reader: Reader) -> Mapping[str, Any]:
    found = reader.state.get("Arguments" if reader.is_jsonata else "Parameters")
    return found if isinstance(found, dict) else {}


def _invoked(reader: Reader, resource: Resource) -> Called:
    """Return a call of `lambda:invoke`: of the function itself, where that is all that it says."""
    written = _parameters(reader)
    name = written.get("FunctionName")
    fixed = isinstance(name, str) and not (reader.is_jsonata and "{%" in name)
    is_plain = fixed and written.keys() <= _INVOKE and reader.pointer not in reader.machine.whole
    if not is_plain or resource.waits_for_token:
        return _operation(reader, resource)
    if has_placeholder(str(name)):
        reader.tell(Level.NOTE, f"a template fills in `{name}`: give --var NAME=VALUE", "Parameters", "FunctionName")
    given = _given(reader)
    payload = given.members.get("Payload") if isinstance(given, Obj) else None
    if payload is None and isinstance(given, Literal):
        payload = Literal(given.value.get("Payload", {}))
    action = _function_action(reader, str(name))
    return Called(action, Literal({}) if payload is None else payload, Shape(Kind.INVOKED, RESULT, reader.pointer))


# ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _operation(reader: Reader, resource: Resource) -> Called:
    _check_operation(reader, resource)
    given = _given(reader)
    properties = {"addr": resource.address, "method": "aws"}
    members = given.value if isinstance(given, Literal) else given.members if isinstance(given, Obj) else None
    if not isinstance(members, dict) or (isinstance(given, Obj) and given.base is not None):
        properties["args"] = "any"
    properties["return"] = "(OK)"
    if resource.waits_for_token:
        properties["callback"] = "open"
    wish = snake_word(f"{resource.service.removeprefix('aws-sdk:')}_{resource.operation}", "operation")
    wish += "_wait" if resource.waits_for_token else ""
    action = reader.machine.actions.take(wish, properties)
    return Called(action, None if members == {} else given, RESULT, answered=resource.waits_for_token)


def _check_operation(reader: Reader, resource: Resource) -> None:
    if reader.machine.operations is None:
        return
    try:
        reader.machine.operations.input_of(resource.address)
    except UnknownOperation as problem:
        raise Unsayable(f"`{resource.address}` {problem}", "Resource") from None


_ROLE: Final = re.compile(r"arn:aws[\w-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)


def _credentials(reader: Reader, step: Step) -> None:
    credentials = reader.state.get("Credentials")
    if credentials is None:
        return
    made = reader.input.field(reader.state, "Credentials")
    role = bare(as_expression(get(made, "RoleArn")))
    if isinstance(role, Literal) and has_placeholder(str(role.value)):
        reader.tell(Level.WARNING, f"a template fills in the role `{role.value}`: give --var NAME=VALUE", "Credentials")
        step.comments.append(f"NOT IMPORTED: the role {role.value}, which a template fills in")
    elif isinstance(role, Literal) and not _ROLE.fullmatch(str(role.value)):
        raise Unsayable(f"`{str(role.value)[:80]}` is not the ARN of a role", "Credentials", "RoleArn")
    else:
        step.properties["role"] = Sent(role)


def _activity(reader: Reader, resource: Resource) -> Called:
    reader.tell(Level.WARNING, "workers of an activity ask for tasks: here the task waits in the inbox", "Resource")
    properties = {"method": "human", "args": "any", "return": "(OK)"}
    action = reader.machine.actions.take(snake_word(resource.name, "activity"), properties)
    return Called(action, _given(reader), RESULT, answered=True)
