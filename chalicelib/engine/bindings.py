"""The names that expressions read (`$input`, `$vars`, ...), bound to the values of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Final

import msgspec

from chalicelib.engine.items import ItemPlace, place_of
from chalicelib.engine.step_result import StepResult
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Draws, Names
from chalicelib.engine.values.secret_values import is_posing
from chalicelib.expressions import NOTHING, Nothing
from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json, is_shallow
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.run_error import StepError
from chalicelib.model.step_token import StepToken
from chalicelib.model.times import Instant, rfc3339

NO_NAMES: Final = Names()

_ALL_NAMES: Final = frozenset({"step", "item"})
"""What `names_at` binds only where it is needed."""


def step_names(
    transition: Transition,
    token: Token,
    *,
    error: StepError | None = None,
    event: Json | Nothing = NOTHING,
    place: ItemPlace | None = None,
    is_entering: bool = False,
) -> Names:
    """Return the names that the expressions of the token's step may read; with `needed`, other expressions there.

    `place` is the item that the token worked on, if the token is gone. `is_entering`: the token is about to enter the
    step, and `$step` is the activation that it then gets.
    """
    compiled = transition.definition.steps.get(token.step)  # an undo may be of a step that the run's version lacks
    needed = compiled.names if compiled else _ALL_NAMES
    activation = transition.next_activation(token.step) if is_entering and "step" in needed else None
    return names_at(transition, token, needed, activation=activation, error=error, event=event, place=place)


def names_at(
    transition: Transition,
    token: Token,
    needed: Set[str],
    *,
    activation: Activation | None = None,
    error: StepError | None = None,
    event: Json | Nothing = NOTHING,
    place: ItemPlace | None = None,
) -> Names:
    """Return the names that expressions at the token may read; `needed` are those that occur in them.

    `activation` is that which its step gets, if the token is about to enter it.
    """
    if not needed:
        return NO_NAMES
    known = transition.tokens.get(token.id)
    if activation is None and known is not None and known.step == token.step:
        activation = known.activation
    place = place or place_of(token, transition.tokens)
    return names_for(
        transition.definition,
        transition.run,
        token,
        transition.at,
        draws=transition.draws,
        activation=activation,
        item=item_at(place, transition.read) if "item" in needed else NOTHING,
        index=NOTHING if place is None else place.index,
        error=error,
        event=event,
        variables=transition.visible_vars(token) if transition.definition.has_scopes else None,
    )


def names_for(
    definition: Definition,
    run: Run,
    token: Token,
    at: Instant,
    *,
    draws: Draws,
    activation: Activation | None = None,
    item: Json | Nothing = NOTHING,
    index: int | Nothing = NOTHING,
    error: StepError | None = None,
    event: Json | Nothing = NOTHING,
    variables: Mapping[str, Json] | None = None,
) -> Names:
    """Return all names at `token`. `item` and `index` are those of the innermost `each` around it.

    `variables` replace those of the run. `error` is that of a step which has just returned; without it, the last one.
    """
    error = error or token.error
    return Names(
        input=run.input,
        vars=run.vars if variables is None else variables,
        result=token.result,
        state=token.state,
        error=_error_value(error) if error else NOTHING,
        response=NOTHING if token.response is None else token.response,
        event=event,
        item=item,
        index=index,
        scheduled=run.scheduled or NOTHING,
        config=definition.config,
        made=Moment(definition, run, token, token.activation or activation, at),
        draws=draws,
    )


class Moment(msgspec.Struct, frozen=True):
    """The moment of a run at which expressions read `$run`, `$step` and `$now`."""

    definition: Definition
    head: Run
    token: Token
    activation: Activation | None
    at: Instant

    @property
    def run(self) -> dict[str, Json]:
        """What `$run` is."""
        head = self.head
        return {
            "name": head.name,
            "id": head.id,
            "flow": self.definition.flow.name,
            "version": head.definition.version,
            "namespace": head.namespace,
            "labels": head.labels,
            "started_at": rfc3339(head.created_at),
        }

    @property
    def step(self) -> dict[str, Json]:
        """What `$step` is. A step that does not wait is entered at the moment of the event, without an activation.

        `attempt` says how often `repeat` has done the step again since a route led to it.
        """
        token, activation = self.token, self.activation
        value: dict[str, Json] = {"name": token.step, "attempt": sum(token.repeats.values())}
        if activation is None:
            return {**value, "entered_at": self.now}
        return {
            **value,
            "uuid": activation.uuid,
            "token": StepToken(self.head.namespace, self.head.name, activation.uuid).encode(),
            "entered_at": rfc3339(activation.since),
        }

    @property
    def now(self) -> str:
        """What `$now` is."""
        return rfc3339(self.at)


def _error_value(error: StepError) -> dict[str, Json]:
    """Return what `$error` is."""
    value: dict[str, Json] = {"name": error.name, "cause": error.cause, "step": error.step, "state": error.state}
    if error.status is not None:
        value["status"] = error.status
    return value if error.data is None else {**value, "data": error.data}


def result_of(returned: StepResult) -> Json:
    """Return what `$result` is after the step: its data, which is read as JSON if a callback brought it as text."""
    is_text = returned.event == "StepAcked" and not returned.is_read
    return answered_value(returned.data) if is_text else returned.data


def answered_value(data: Json) -> Json:
    """Return the data that an action answered; if that is the JSON text of an object or an array, its value.

    JSON that is nested too deeply for other readers stays text, as does JSON that looks like an encrypted value.
    """
    if not isinstance(data, str) or not data.lstrip().startswith(("{", "[")):
        return data
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return data
    return data if is_posing(found) or not is_shallow(found) else found


def item_at(place: ItemPlace | None, read: Callable[[str], Json]) -> Json | Nothing:
    """Return the value of the item; NOTHING if there is none, or if it is unknown where it is stored."""
    return place.item(read) if place and place.items else NOTHING
