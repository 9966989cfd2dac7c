"""Conversion of runs, definitions and events to JSON responses, in the shapes of `docs/http-api.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, assert_never, cast, overload

from chalicelib.engine.admission import described
from chalicelib.engine.bindings import answered_value
from chalicelib.engine.invocation import UNDO
from chalicelib.entrypoints.http import echoer_types, responses
from chalicelib.model import flow, json_values, templates
from chalicelib.model.actions import Action, Parameter, shown_args
from chalicelib.model.flow import ActionStep, CallStep, EmitStep, Flow, StartStep, Step, walk
from chalicelib.model.history import Entry
from chalicelib.model.hooks import Hook
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.run import PendingUndo, Run, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.statements import VALUE_TYPES, Config, DefinitionValue, EventType
from chalicelib.model.status import LIVE, READY, Status, current_state
from chalicelib.model.times import Instant, format_duration, rfc3339
from chalicelib.service.events.publish import Published
from chalicelib.service.hooks.delivery_log import HookDelivery
from chalicelib.service.inbox import OpenTask
from chalicelib.service.limits.breakers import Circuit
from chalicelib.service.ports.definitions import Definition
from chalicelib.service.ports.events import Signal
from chalicelib.service.runs.read import RunView

MAX_WOKEN_NAMES: Final = 100
"""How many names of the runs that an event woke a response has."""

Resource = Literal["action", "flow", "flowrun", "step", "event", "eventtype", "config", "schedule", "hook"]


def metadata(
    name: str, kind: Resource, namespace: str, version: int, uuid: str, labels: dict[str, Json] | None = None
) -> responses.Metadata:
    return {
        "name": name,
        "kind": kind,
        "namespace": namespace,
        "version": version,
        "uuid": uuid,
        "labels": labels or {},
    }


@overload
def moment(at: Instant) -> str: ...


@overload
def moment(at: Instant | None) -> str | None: ...


def moment(at: Instant | None) -> str | None:
    """Return the time as RFC 3339 in UTC with milliseconds."""
    return None if at is None else rfc3339(at)


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def definition(namespace: str, found: Definition) -> Json:
    """Return a definition: `responses.Action`, `responses.Flow` and so on, by its kind."""
    value = json_values.decode(found.value, VALUE_TYPES[found.kind])
    return {
        "metadata": metadata(found.name, cast(Resource, found.kind.resource), namespace, found.version, found.uuid),
        "spec": {**_spec(value, found), "text": found.text, "created_at": moment(found.created_at)},
    }


def _spec(value: DefinitionValue, found: Definition) -> Mapping[str, Json]:
    match value:
        case Action():
            return _action_spec(value, found)
        case Flow():
            return _flow_spec(value, found)
        case EventType():
            parameters = value.parameters
            return {"args": None if parameters is None else [_parameter(parameter) for parameter in parameters]}
        case Config():
            return {"value": value.value}
        case Schedule():
            return _schedule_spec(value)
        case Hook():
            return {
                "method": value.method,
                "addresses": list(value.addresses),
                "on": list(value.on),
                "flow": value.flow,
                "labels": value.labels,
            }
        case _:
            assert_never(value)


def _action_spec(action: Action, found: Definition) -> responses.ActionSpec:
    return {
        "system": "",
        "serve_type": echoer_types.SERVE_TYPES[action.method],
        "method": action.method,
        "endpoints": list(action.addresses),
        "params": {parameter.name: echoer_types.PARAM_TYPES[parameter.type] for parameter in _named(action)},
        "args": {parameter.name: parameter.type for parameter in _named(action)},
        "return_states": list(action.returns),
        "text": found.text,
        "created_at": moment(found.created_at),
    }


def _named(action: Action) -> tuple[Parameter, ...]:
    """Return the args that have a name: an action with `args = any` has none."""
    return () if action.takes_value else action.parameters


def _flow_spec(flow: Flow, found: Definition) -> responses.FlowSpec:
    return {
        "description": flow.description or "",
        "keep": flow.keep,
        "steps": [
            {"name": step.name, "action_name": action_of(step), "returns": echoer_types.returns_of(step)}
            for step in walk(flow.steps)
        ],
        "input": [_parameter(parameter) for parameter in flow.input],
        "text": found.text,
        "created_at": moment(found.created_at),
    }


def _schedule_spec(schedule: Schedule) -> Mapping[str, Json]:
    return {
        "flow": schedule.flow,
        "cron": schedule.cron,
        "every": None if schedule.every is None else format_duration(schedule.every),
        "at": schedule.at,
        "zone": schedule.zone,
        "input": _shown(schedule.input),
        "labels": _shown(schedule.labels),
        "overlap": schedule.overlap,
        "catch_up": format_duration(schedule.catch_up),
        "jitter": format_duration(schedule.jitter),
    }


def breaker(circuit: Circuit | None) -> responses.Breaker | None:
    """Return the state of a breaker; None if there is none."""
    return {"failures": circuit.failures, "open_until": moment(circuit.open_until)} if circuit else None


def _parameter(parameter: Parameter) -> responses.Input:
    shown: responses.Input = {"name": parameter.name, "type": parameter.type, "required": parameter.required}
    if not parameter.required:
        shown["default"] = parameter.default
    return shown


def action_of(step: Step) -> str:
    """Return the name of the action that the step calls; empty if it calls none."""
    return step.action if isinstance(step, ActionStep) else ""


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def run(view: RunView) -> responses.Run:
    """Return a run. In lists, `steps` and `history_states` cover only the newest transitions."""
    head = view.run
    return {
        "metadata": metadata(head.name, "flowrun", head.namespace, head.version, head.id, head.labels),
        "spec": {
            "steps": steps(view),
            "history_states": history_states(view.entries),
            "current_state": state_of(head),
            "last_state": head.last_state,
            "last_event": head.last_event,
            "last_err": head.last_err,
            "error": _error(head.error),
            "global_variable": head.vars,
            "status": head.status,
            "waits_for": described(view.definition.flow, head) if head.status is Status.PENDING else "",
            "flow": head.definition.flow,
            "flow_version": head.definition.version,
            "input": head.input,
            "output": head.output,
            "tokens": [_token(token) for token in head.tokens],
            "failed_undos": [_failed_undo(undo) for undo in head.undos if undo.failed],
            "created_at": moment(head.created_at),
            "updated_at": moment(head.updated_at),
            "ended_at": moment(head.ended_at),
            "seq": head.seq,
        },
    }


def _error(error: StepError | None) -> responses.RunError | None:
    if error is None:
        return None
    return {
        "name": error.name,
        "cause": error.cause,
        "step": error.step,
        "state": error.state,
        "status": error.status,
        "data": error.data,
    }


def state_of(head: Run) -> str:
    """Return the `current_state`, a field of the original echoer."""
    return current_state(head.status, head.tokens[0].step if head.tokens else "")


def history_states(entries: Iterable[Entry]) -> list[str]:
    """Return the steps of the run in the order of the entries. The end of a branch or item is not an end of the run."""
    states: list[str] = []
    for entry in entries:
        if entry.seq == 1:
            states.append(READY)
        if entry.target and (entry.token == ROOT or entry.target not in flow.ENDS):
            states.append(entry.target)
    return states


def _failed_undo(undo: PendingUndo) -> responses.FailedUndo:
    return {
        "step": undo.step,
        "uuid": undo.uuid,
        "state": undo.state,
        "action": undo.action,
        "args": shown_args(undo.args),
        "incomplete": bool(undo.incomplete),
        "error": undo.failed,
    }


def _token(token: Token) -> responses.Token:
    wait = token.activation
    return {
        "id": token.id,
        "step": token.step,
        "uuid": wait.uuid if wait else "",
        "since": moment(wait.since) if wait else None,
        "deadline": moment(wait.deadline) if wait else None,
        "attempt": wait.attempt if wait else 0,
        "retry_at": moment(wait.retry_at) if wait else None,
        "held": wait.held if wait else False,
        **_scope_vars(token),
    }


def _scope_vars(token: Token) -> responses.ScopeVars:
    """Return the variables of the scopes that begin at the token, if there are any."""
    if token.vars is None and token.fork_vars is None:
        return {}
    return {"vars": {**(token.vars or {}), **(token.fork_vars or {})}}


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def steps(view: RunView) -> list[responses.Step]:
    """Return every step of the run's flow with its last result."""
    return [step(view, found) for found in walk(view.definition.flow.steps)]


def started_steps(view: RunView) -> list[responses.Step]:
    """Return the steps that the run has entered so far, whether they have returned or not."""
    entered = set(view.run.paged_steps or ())
    entered.update(name for entry in view.entries for name in (entry.step, entry.target))
    entered.update(token.step for token in view.run.tokens)
    return [step(view, found) for found in walk(view.definition.flow.steps) if found.name in entered]


def waiting_steps(view: RunView) -> list[responses.Step]:
    """Return the steps that the run waits for."""
    if view.run.status not in LIVE:
        return []
    waiting = {token.step for token in view.run.tokens if token.activation}
    return [step(view, found) for found in walk(view.definition.flow.steps) if found.name in waiting]


def changed_steps(view: RunView, since: Instant) -> list[responses.Step]:
    """Return the steps that the run waits for, and those with a history entry at `since` or later."""
    changed = {entry.step for entry in view.entries if entry.at >= since}
    waiting = {token.step for token in view.run.tokens if token.activation} if view.run.status in LIVE else set()
    return [step(view, found) for found in walk(view.definition.flow.steps) if found.name in changed | waiting]


def step(view: RunView, found: Step) -> responses.Step:
    """Return a step of a run: its current activation or, if there is none, its last one."""
    head = view.run
    entries = [entry for entry in view.entries if entry.step == found.name]
    last = next((entry for entry in reversed(entries) if entry.is_return), None)
    token = next((token for token in head.tokens if token.step == found.name and token.activation), None)
    wait = token.activation if token and head.status in LIVE else None
    is_waiting = wait is not None and token is not None and token.id != UNDO
    state = None if is_waiting else last.state if last else (head.paged_steps or {}).get(found.name)
    data = wait.data if wait and is_waiting else last.data if last else None
    return {
        "metadata": metadata(
            found.name,
            "step",
            head.namespace,
            entries[-1].seq if entries else 0,
            wait.uuid if wait else last.uuid if last else "",
        ),
        "spec": {
            "flow_id": head.name,
            "flow_run_uuid": head.id,
            "action_run": {
                "action_name": action_of(found),
                "action_params": _arguments(found),
                "return_state_map": echoer_types.returns_of(found),
                "done": state is not None,
            },
            "response": {"state": state or ""},
            "data": echoer_types.text_of(data),
            "result": answered_value(data),
            "retry_count": wait.attempt if wait else _failures(entries),
            "global_variables": last.vars if last and not is_waiting else {},
        },
    }


def _arguments(found: Step) -> dict[str, Json]:
    """Return the step's args as they are written, with expressions as `${...}`."""
    match found:
        case ActionStep():
            given = found.args
        case CallStep() | StartStep():
            given = found.input
        case EmitStep():
            fields = {"event": found.event, "key": found.key, "data": found.data, "to": found.to}
            given = {name: template for name, template in fields.items() if template is not None}
        case _:
            given = {}
    return shown_args({name: _shown(template) for name, template in given.items()})


def _shown(template: Json) -> Json:
    source = templates.source_of(template)
    if source is not None:
        return "${" + source + "}"
    if isinstance(template, dict):
        return {key: _shown(value) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [_shown(value) for value in template]
    return template


def _failures(entries: Sequence[Entry]) -> int:
    """Count the failed deliveries of the last activation in the entries."""
    return sum(entry.event == "DeliveryFailed" and entry.uuid == entries[-1].uuid for entry in entries)


# ── history, events ──────────────────────────────────────────────────────────────────────────────────────────────────


def entry(found: Entry) -> responses.Entry:
    """Return an entry of a run's history. All fields are always present."""
    return {
        "seq": found.seq,
        "at": moment(found.at),
        "event": found.event,
        "step": found.step,
        "token": found.token,
        "from": found.origin,
        "to": found.target,
        "state": found.state,
        "data": found.data,
        "by": found.by,
        "uuid": found.uuid,
        "error": found.error,
        "error_name": found.error_name,
        "rule": found.rule,
        "vars": found.vars,
        "removed": list(found.removed),
    }


def task(found: OpenTask, links: dict[str, responses.TaskLinks]) -> responses.Task:
    """Return a task for a person, with the names that its answer needs (`POST /step`)."""
    return {
        "flowId": found.run,
        "stepName": found.step,
        "uuid": found.uuid,
        "action": found.action,
        "kind": "approval" if found.approval else "task",
        "ackStates": list(found.states),
        "args": found.args,
        "since": moment(found.since),
        "deadline": moment(found.deadline),
        "flow": found.flow,
        "labels": found.labels,
        "routes": echoer_types.returns_of(found.step_definition) if found.step_definition else {},
        "links": links,
    }


def hook_delivery(one: HookDelivery) -> responses.HookDelivery:
    """Return one attempt to deliver a notification of a hook."""
    outcome: Literal["delivered", "failed", "given up"] = "delivered"
    if one.error:
        outcome = "failed" if one.next_at is not None else "given up"
    return {
        "id": one.id,
        "event": one.event,
        "run": one.run,
        "at": moment(one.at),
        "duration_ms": one.duration,
        "outcome": outcome,
        "status": one.status,
        "error": one.error,
        "next_at": moment(one.next_at),
    }


def published(namespace: str, found: Published) -> responses.PublishedEvent:
    """Return an event that was just published, with the runs that were notified."""
    woken: responses.Woken = {"count": len(found.woken), "runs": list(found.woken[:MAX_WOKEN_NAMES])}
    return {**signal(namespace, found.signal), "woken": woken}


def signal(namespace: str, found: Signal) -> responses.Event:
    """Return a published event."""
    event_type, message, content = echoer_types.event_fields(found.name, found.data)
    return {
        "metadata": metadata(found.name, "event", namespace, 1, found.id),
        "spec": {
            "name": found.name,
            "key": found.key,
            "data": found.data,
            "run": found.run,
            "at": moment(found.at),
            "expires_at": moment(found.until or found.expires_at),
        },
        "event_type": event_type,
        "message": message,
        "object": content,
    }
