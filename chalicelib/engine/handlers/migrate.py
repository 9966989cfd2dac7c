"""`migrate`: a run in progress moves to another version of its flow, and goes on waiting as it waits."""

from __future__ import annotations

from typing import Final

from chalicelib.engine.bindings import names_for
from chalicelib.engine.effects import SetTimer
from chalicelib.engine.errors import DoesNotFit, ExpressionFailed
from chalicelib.engine.events import RunMigrated
from chalicelib.engine.steps import waits
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.options import duration_of
from chalicelib.engine.versions.change import change_version, changed_fields
from chalicelib.model.flow import EventStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.status import Status

LOOK_MS: Final = 1
"""How soon conditions are judged by the new version: when the timer of the run fires."""


def migrate(transition: Transition, event: RunMigrated) -> None:
    """Move the run to the version. Nothing that it waits for ends by that. Raises DoesNotFit."""
    before, flow = transition.run, transition.definition.flow
    fits = change_version(transition, event.target, renamed=event.steps, is_live=True)
    data: dict[str, Json] = {"from": before.definition.version, "to": event.target.ref.version}
    data |= {"steps": dict(event.steps)} if event.steps else {}
    data |= {"reason": event.reason} if event.reason else {}
    transition.record("VersionChanged", data=data)
    if before.input != transition.run.input:
        transition.record("InputChanged", data={"input": changed_fields(before, transition.run)})
    if flow.timeout != transition.definition.flow.timeout:
        try:
            _set_deadline(transition)
        except ExpressionFailed as failure:
            raise DoesNotFit(before.name, event.target.ref.version, fits, [str(failure)]) from None
    if transition.run.status is not Status.RUNNING:
        return  # `continue` does what follows
    for token in tuple(transition.tokens.values()):
        step = transition.definition.step(token.step)
        if isinstance(step, EventStep):
            waits.listen(transition, token, step)
    if transition.definition.has_conditions:
        transition.set_run(timer_at=transition.at + LOOK_MS)
        transition.emit(SetTimer(transition.at + LOOK_MS))


def _set_deadline(transition: Transition) -> None:
    """Give the run the whole timeout of the flow, from now on. Raises ExpressionFailed."""
    definition, run = transition.definition, transition.run
    if definition.flow.timeout is None:
        transition.set_run(deadline=None)
        return
    token = Token(step=definition.flow.steps[0].name)
    names = names_for(definition, run, token, transition.at, draws=transition.draws)
    began = transition.at if run.paused_at is None else run.paused_at  # `continue` adds the length of the pause
    transition.set_run(deadline=began + duration_of("timeout", definition.flow.timeout, names))
