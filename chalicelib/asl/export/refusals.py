"""What a flow, a step or an action has that Step Functions has not."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.asl.problems import Level, Problem, pointer
from chalicelib.model.actions import Action, Options
from chalicelib.model.flow import ActionStep, CallStep, EachStep, Flow, ForkStep, Step

_UNDO = "undo: Step Functions undoes nothing; route its errors to states that do it"
_LIMIT = "limit: Step Functions does not bound what is in progress"
_APPROVAL = "approval: Step Functions asks nobody; put a task before it that waits for an answer"
_SIGNED = "callback = signed: Step Functions verifies no signatures; the task token is the permission"
_NO_SECRETS = "Step Functions stores no secret values"


def of_flow(flow: Flow) -> Iterator[Problem]:
    """Yield the problems of the properties of a flow."""
    if flow.limit is not None:
        yield _error("/limit", f"flow {flow.name}: {_LIMIT}")
    if isinstance(flow.timeout, dict):
        yield _error("/timeout", f"flow {flow.name}: timeout: TimeoutSeconds of a machine is a fixed number")
    for index, parameter in enumerate(flow.input):
        if parameter.secret:
            yield _error(pointer("/input", index), f"flow {flow.name}: secret input {parameter.name}: {_NO_SECRETS}")
    for name in flow.secret_vars:
        yield _error("/secret_vars", f"flow {flow.name}: secret variable {name}: {_NO_SECRETS}")
    for name in ("labels", "keep", "max_steps"):
        if getattr(flow, name):
            yield Problem(f"/{name}", Level.WARNING, f"flow {flow.name}: {name} is left out: executions have none")


def of_action(step: ActionStep, action: Action, at: str) -> Iterator[Problem]:
    """Yield the problems of a step that sends an action."""
    who = f"step {step.name}"
    if step.undo or action.undo:
        yield _error(pointer(at, "undo"), f"{who}: {_UNDO}")
    yield from _options(step.options, pointer(at, "options"), who)
    yield from _options(action.options, pointer(at, "action"), f"{who}: action {action.name}")
    known = {name for name, is_used in (("secret", action.secret_data), *_secret_args(action)) if is_used}
    if known:
        yield _error(pointer(at, "action"), f"{who}: action {action.name}: secret args or data: {_NO_SECRETS}")
    for name, is_stated in (("breaker", action.breaker), ("cancel", action.cancel), ("secret", action.ca_bundle)):
        if is_stated:
            message = f"{who}: action {action.name}: {name} is left out: Step Functions has no such thing"
            yield Problem(pointer(at, "action"), Level.WARNING, message)


def _secret_args(action: Action) -> Iterator[tuple[str, bool]]:
    return ((parameter.name, parameter.secret) for parameter in action.parameters)


def _options(options: Options, at: str, who: str) -> Iterator[Problem]:
    if options.limit is not None:
        yield _error(pointer(at, "limit"), f"{who}: {_LIMIT}")
    if options.approval:
        yield _error(pointer(at, "approval"), f"{who}: {_APPROVAL}")
    if options.signed:
        yield _error(pointer(at, "signed"), f"{who}: {_SIGNED}")
    for header, name in options.secret_headers.items():
        message = f"{who}: header {header}: secret {name!r}: keep it in the connection of EventBridge"
        yield _error(pointer(at, "secret_headers", header), message)


def of_step(step: Step, at: str) -> Iterator[Problem]:
    """Yield the problems of the other kinds of steps."""
    who = f"step {step.name}"
    if isinstance(step, CallStep) and step.undo:
        yield _error(pointer(at, "undo"), f"{who}: {_UNDO}")
    if isinstance(step, ForkStep):
        if step.join < len(step.branches):
            message = f"{who}: join of {step.join} of {len(step.branches)}: a Parallel state waits for all branches"
            yield _error(pointer(at, "join"), message)
        if step.vars:
            yield _error(pointer(at, "vars"), f"{who}: vars: branches of a Parallel state share no variables")
        for index, branch in enumerate(step.branches):
            for name in branch.secret_vars:
                place = pointer(at, "branches", index, "secret_vars")
                yield _error(place, f"{who}: secret variable {name}: {_NO_SECRETS}")
    if isinstance(step, EachStep):
        for name in step.secret_vars:
            yield _error(pointer(at, "secret_vars"), f"{who}: secret variable {name}: {_NO_SECRETS}")
    if isinstance(step, (ForkStep, EachStep)) and step.timeout is not None:
        kind = "Parallel" if isinstance(step, ForkStep) else "Map"
        yield _error(pointer(at, "timeout"), f"{who}: timeout: a {kind} state has no time limit")


def _error(at: str, message: str) -> Problem:
    return Problem(at, Level.ERROR, message)
