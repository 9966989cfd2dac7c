"""The steps of a run as JSON."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.engine.bindings import answered_value
from chalicelib.engine.invocation import UNDO
from chalicelib.entrypoints.http import echoer_types
from chalicelib.entrypoints.http.presenters.common import metadata
from chalicelib.entrypoints.http.presenters.templates import action_of, arguments
from chalicelib.entrypoints.http.presenters.values import Values
from chalicelib.model.flow import Step, walk
from chalicelib.model.status import LIVE

if TYPE_CHECKING:
    from chalicelib.entrypoints.http import responses
    from chalicelib.model.history import Entry
    from chalicelib.model.run import Token
    from chalicelib.model.times import Instant
    from chalicelib.service.runs.read import RunView

MAX_REPEATED_BYTES: Final = 1_024
"""How many bytes of variables a step of a run has in the response for the run, which has all variables itself."""


def steps(view: RunView, shows: type[Values] = Values) -> list[responses.Step]:
    """Return every step of the run's flow with its last result, with its values as `shows` shows them."""
    return _steps(view, None, shows)


def started_steps(view: RunView) -> list[responses.Step]:
    """Return the steps that the run has entered so far, whether they have returned or not."""
    entered = set(view.run.paged_steps or ())
    entered.update(name for entry in view.entries for name in (entry.step, entry.target))
    entered.update(token.step for token in view.run.tokens)
    return _steps(view, entered)


def waiting_steps(view: RunView) -> list[responses.Step]:
    """Return the steps that the run waits for."""
    if view.run.status not in LIVE:
        return []
    waiting = {token.step for token in view.run.tokens if token.activation}
    return _steps(view, waiting)


def changed_steps(view: RunView, since: Instant) -> list[responses.Step]:
    """Return the steps that the run waits for, and those with a history entry at `since` or later."""
    changed = {entry.step for entry in view.entries if entry.at >= since}
    waiting = {token.step for token in view.run.tokens if token.activation} if view.run.status in LIVE else set()
    return _steps(view, changed | waiting)


def _steps(view: RunView, names: Set[str] | None, shows: type[Values] = Values) -> list[responses.Step]:
    """Return the steps of the run with these names; all for None. Entries and tokens are looked through once."""
    entries: dict[str, list[Entry]] = {}
    for entry in view.entries:
        entries.setdefault(entry.step, []).append(entry)
    tokens = {token.step: token for token in reversed(view.run.tokens) if token.activation}
    values = shows(view.run.name, view.large)
    return [
        _step(view, found, entries.get(found.name, ()), tokens.get(found.name), values)
        for found in walk(view.definition.flow.steps)
        if names is None or found.name in names
    ]


def _step(view: RunView, found: Step, entries: Sequence[Entry], token: Token | None, values: Values) -> responses.Step:
    """Return a step of a run: its current activation or, if there is none, its last one.

    `entries` are those about it, `token` is the first one that waits at it.
    """
    head = view.run
    last = next((entry for entry in reversed(entries) if entry.is_return), None)
    wait = token.activation if token and head.status in LIVE else None
    is_waiting = wait is not None and token is not None and token.id != UNDO
    state = None if is_waiting else last.state if last else (head.paged_steps or {}).get(found.name)
    data = values.shown(wait.data if wait and is_waiting else last.data if last else None)
    stopped = token.activation.uuid if token and token.activation else ""  # a run that was stopped keeps its tokens
    return {
        "metadata": metadata(
            found.name,
            "step",
            head.namespace,
            entries[-1].seq if entries else 0,
            wait.uuid if wait else last.uuid if last else stopped,
        ),
        "spec": {
            "flow_id": head.name,
            "flow_run_uuid": head.id,
            "action_run": {
                "action_name": action_of(found),
                "action_params": arguments(found),
                "return_state_map": echoer_types.returns_of(found),
                "done": state is not None,
            },
            "response": {"state": state or ""},
            "data": echoer_types.text_of(data),
            "result": answered_value(data),
            "retry_count": wait.attempt if wait else _failures(entries),
            "global_variables": values.shown_map(last.vars) if last and not is_waiting else {},
        },
    }


def without_values(shown: responses.Step) -> responses.Step:
    """Return a step without the data that was answered and the variables that changed."""
    return {**shown, "spec": {**shown["spec"], "data": "", "result": None, "global_variables": {}}}


def without_large_variables(shown: responses.Step) -> responses.Step:
    """Return the step of a run without its variables, if they are many or large: the run has them already."""
    variables = shown["spec"]["global_variables"]
    if not variables or len(msgspec.json.encode(variables)) <= MAX_REPEATED_BYTES:
        return shown
    return {**shown, "spec": {**shown["spec"], "global_variables": {}}}


def _failures(entries: Sequence[Entry]) -> int:
    """Count the failed deliveries of the last activation in the entries."""
    return sum(entry.event == "DeliveryFailed" and entry.uuid == entries[-1].uuid for entry in entries)
