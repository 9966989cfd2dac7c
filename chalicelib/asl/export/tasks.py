"""Steps that call something as Task states: the resource, its arguments, and where the result is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chalicelib.asl.export.http_tasks import http_arguments
from chalicelib.asl.export.values.names import RESULT, TASK_TOKEN, Inexpressible, Meaning, refused
from chalicelib.asl.export.values.templates import Missing, Writer, wrapped
from chalicelib.model.actions import WHOLE, Action, Method
from chalicelib.model.flow import ActionStep, CallStep, StartStep
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, source_of

SHIM: Final = "echoer-shim"
"""The Lambda function that calls services which answer later, and hands their answers to Step Functions."""

MACHINE: Final = "arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:"
"""The ARN of a machine without its name, as CloudFormation's `Fn::Sub` completes it."""

_ARN: Final = "arn:aws:states:::"
_WAIT: Final = ".waitForTaskToken"

_OPTIMIZED: Final = frozenset(
    {
        "apigateway:invoke",
        *(
            f"athena:{name}"
            for name in ("getQueryExecution", "getQueryResults", "startQueryExecution", "stopQueryExecution")
        ),
        "batch:submitJob",
        *(f"codebuild:{name}" for name in ("startBuild", "startBuildBatch", "stopBuild", "stopBuildBatch")),
        "databrew:startJobRun",
        *(f"dynamodb:{name}Item" for name in ("delete", "get", "put", "update")),
        "ecs:runTask",
        "emr-containers:startJobRun",
        "emr-serverless:startJobRun",
        "events:putEvents",
        "glue:startJobRun",
        "http:invoke",
        "lambda:invoke",
        "mediaconvert:createJob",
        *(
            f"sagemaker:create{name}Job"
            for name in ("HyperParameterTuning", "Labeling", "Processing", "Training", "Transform")
        ),
        "sns:publish",
        "sqs:sendMessage",
        "states:startExecution",
    }
)
"""Operations for which Step Functions has a resource of its own; all others are `aws-sdk:...`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A Task state without its ways out.

    Attributes:
        resource: The ARN of the resource.
        arguments: What it is given.
        result: What `$result` is in its `Assign` and `Output`.
        state: The text of the state that it returned; None if it returns one only.
        has_token: Whether it waits for a task token.
        statuses: The names of errors that lead to a state, by the state.
        response: What `$response` is.
        notes: What the reader must know.
        default_timeout_s: How long it waits at most where nothing is stated; None: as long as the resource takes.
        role: The ARN of the role under which it calls.
    """

    resource: str
    arguments: Json
    result: Meaning = field(default_factory=lambda: Meaning(whole=RESULT))
    state: str | None = None
    has_token: bool = False
    statuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    response: Meaning = field(default_factory=lambda: refused("the result has no response beside it"))
    notes: tuple[str, ...] = ()
    default_timeout_s: int | None = None
    role: str | None = None


def action_task(step: ActionStep, action: Action, writer: Writer, shim: str) -> Task:
    """Return the Task of a step that sends an action. Raises Inexpressible."""
    taken = action.taking(step.args)
    if action.is_operation:
        return _operation(step, taken, writer)
    if action.direct and action.method is Method.LAMBDA:
        return _function(step, taken, writer)
    if action.direct:
        return _request(step, taken, writer)
    return _by_shim(step, taken, writer, shim)


def args_of(step: ActionStep, action: Action, writer: Writer) -> Json:
    """Return the args of a step as JSON: the one value, or a map with the defaults of those that are left out."""
    found: dict[str, Json] = {}
    for parameter in action.parameters:
        given: Template = step.args.get(parameter.name, parameter.default)
        found[parameter.name] = writer.value(given, Missing.FAIL)
    return found[WHOLE] if action.takes_value else found


def _operation(step: ActionStep, action: Action, writer: Writer) -> Task:
    address = action.addresses[0]
    service = address.removeprefix("aws-sdk:")
    base, mark, ending = service.partition(".")
    is_own = base in _OPTIMIZED and not address.startswith("aws-sdk:")
    resource = f"{_ARN}{'' if is_own else 'aws-sdk:'}{base}"
    arguments = _capitalised(args_of(step, action, writer))
    if action.direct:
        return Task(resource=resource + mark + ending, arguments=arguments, role=action.role)
    task = Task(resource=resource + _WAIT, arguments=arguments, has_token=True, role=action.role)
    return _answered(task, step, action) if len(action.returns) > 1 else task


def _capitalised(arguments: Json) -> Json:
    """Return arguments with the names that Step Functions wants: the first letter of each is a capital."""
    if not isinstance(arguments, Mapping):
        return arguments
    return {name[:1].upper() + name[1:]: value for name, value in arguments.items()}


def _function(step: ActionStep, action: Action, writer: Writer) -> Task:
    return Task(
        resource=f"{_ARN}lambda:invoke",
        arguments={"FunctionName": action.addresses[0], "Payload": args_of(step, action, writer)},
        result=Meaning(whole=f"{RESULT}.Payload"),
        notes=_other_addresses(action),
    )


def _request(step: ActionStep, action: Action, writer: Writer) -> Task:
    arguments = http_arguments(step, action, args_of(step, action, writer))
    statuses = {}
    for state, codes in action.statuses.items():
        if any(200 <= code < 300 for code in codes) and state != action.success_state:
            raise Inexpressible(f"action {action.name}: state {state} on {codes[0]}: every 2xx is one success there")
        names = tuple(f"States.Http.StatusCode.{code}" for code in codes if code >= 300)
        if names:
            statuses[state] = names
    headers = f"$merge($each({RESULT}.Headers, function($values, $header) {{{{ $header: $values[0] }}}}))"
    members = {"status": f"{RESULT}.StatusCode", "headers": headers}
    return Task(
        resource=f"{_ARN}http:invoke",
        arguments=arguments,
        result=Meaning(whole=f"{RESULT}.ResponseBody"),
        statuses=statuses,
        response=Meaning(members=members, why="only status and headers are known"),
        notes=(
            f"action {action.name} needs a connection of EventBridge: replace ${{ConnectionArn}}",
            *_other_addresses(action),
        ),
    )


def _by_shim(step: ActionStep, action: Action, writer: Writer, shim: str) -> Task:
    """A service that answers later is called by a function, which passes its answer on with the task token."""
    is_function = action.method is Method.LAMBDA
    payload = {
        "action": action.name,
        "method": str(action.method),
        **({"addr": action.addresses[0]} if action.addresses and not is_function else {}),
        "flowId": wrapped("$states.context.Execution.Name"),
        "step": step.name,
        "args": args_of(step, action, writer),
        "ackStates": list(action.returns),
        "token": wrapped(TASK_TOKEN),
    }
    name = action.addresses[0] if is_function and action.addresses else shim
    task = Task(
        resource=f"{_ARN}lambda:invoke{_WAIT}",
        arguments={"FunctionName": name, "Payload": payload},
        has_token=True,
        notes=(_shim_note(action, name),),
        default_timeout_s=30 * 86_400 if action.is_human else 7 * 86_400,
    )
    return _answered(task, step, action)


def _shim_note(action: Action, name: str) -> str:
    work = "asks a person" if action.is_human else f"is called by {action.method} and answers later"
    return (
        f"action {action.name} {work}: function {name} must pass the call on, and answer with SendTaskSuccess and "
        '{"ackState", "data"}'
    )


def _answered(task: Task, step: ActionStep, action: Action) -> Task:
    """Return the task with a result that says which state the action returned."""
    note = f'step {step.name}: the output of SendTaskSuccess is {{"ackState": {" | ".join(action.returns)}, "data"}}'
    return Task(
        resource=task.resource,
        arguments=task.arguments,
        result=Meaning(whole=f"{RESULT}.data"),
        state=f"{RESULT}.ackState" if len(action.returns) > 1 else None,
        has_token=True,
        notes=task.notes or (note,),
        default_timeout_s=task.default_timeout_s or 7 * 86_400,
        role=task.role,
    )


def call_task(step: CallStep, writer: Writer) -> Task:
    """Return the Task that runs another machine and waits for it."""
    arguments = {"StateMachineArn": MACHINE + step.flow, "Input": _input_of(step, writer)}
    return Task(
        resource=f"{_ARN}states:startExecution.sync:2",
        arguments=arguments,
        result=Meaning(whole=f"{RESULT}.Output"),
        notes=(_machine_note(step.flow),),
    )


def start_task(step: StartStep, writer: Writer) -> Task:
    """Return the Task that starts another machine."""
    arguments = {"StateMachineArn": MACHINE + step.flow, "Input": _input_of(step, writer)}
    notes = [_machine_note(step.flow)]
    if step.run is not None:
        arguments["Name"] = writer.value(step.run, Missing.FAIL)
    if step.labels:
        notes.append(f"step {step.name}: executions have no labels")
    name = f'$split({RESULT}.ExecutionArn, ":")[-1]'
    return Task(
        resource=f"{_ARN}states:startExecution",
        arguments=arguments,
        result=Meaning(whole=f'{{"name": {name}}}', members={"name": name}),
        notes=tuple(notes),
    )


def _input_of(step: CallStep | StartStep, writer: Writer) -> Json:
    """Return the input of another machine. Entries that yield nothing are left out: its flow may have defaults."""
    if source_of(step.input) is not None or all(writer.is_sure(entry) for entry in step.input.values()):
        return writer.value(step.input, Missing.FAIL)
    return wrapped(writer.text(step.input, Missing.FAIL))


def _machine_note(flow: str) -> str:
    return f"export flow {flow} too; the ARN of its machine is completed by CloudFormation (Fn::Sub)"


def _other_addresses(action: Action) -> tuple[str, ...]:
    others = len(action.addresses) - 1
    return (f"action {action.name}: only the first of {others + 1} addresses is used",) if others > 0 else ()
