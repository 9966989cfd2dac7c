"""Steps that publish an event (`emit`) or start a run (`start`).

The token waits until this is done. A decision that is never committed must have no effect, so the effect is a message:
its consumer looks at the head, does what the activation's wait says if the activation is current, and reports back.
"""

from __future__ import annotations

from typing import Final

from chalicelib.engine.effects import ExecuteStep
from chalicelib.engine.errors import ExpressionFailed, Runaway
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.evaluation import Names, resolve, resolve_known
from chalicelib.engine.values.options import duration_of
from chalicelib.engine.values.secret_values import holds_secret, shown
from chalicelib.engine.values.size_limits import MAX_LABELS, fit
from chalicelib.engine.values.texts import key_text
from chalicelib.model.flow import EmitStep, StartStep
from chalicelib.model.json_values import Json, scalar_text
from chalicelib.model.run import Run, Token
from chalicelib.model.status import Status
from chalicelib.model.templates import Template, source_of
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.model.visible_text import is_safe
from chalicelib.model.waits import EmitWait, StartWait

MAX_NAME_CHARACTERS: Final = 128
"""Characters of the name of an event, and of a run that a `start` names."""

MAX_RUN_NAME_CHARACTERS: Final = 1_024
"""Characters of the name of a run that receives an event: those of called runs are longer."""

MAX_KEY_CHARACTERS: Final = 1_024

MAX_GENERATIONS: Final = 1_000
"""How many runs may start one another in a row, each within GENERATION_MS of its own start."""

GENERATION_MS: Final[Milliseconds] = 60_000
"""A run that is older than that when it starts another one ends such a row."""


def enter_emit(transition: Transition, token: Token, step: EmitStep, names: Names) -> None:
    """Publish the step's event, and wait until it is stored. Raises ExpressionFailed."""
    data = resolve(step.data, names)
    if holds_secret(data):
        raise ExpressionFailed("the data of the event would hold a secret, which every run could read")
    fit("the data of the event", data)
    wait = EmitWait(
        event=_text("event", resolve(step.event, names), MAX_NAME_CHARACTERS),
        key="" if step.key is None else _key(resolve(step.key, names)),
        data=data,
        to=None if step.to is None else _text("to", resolve(step.to, names), MAX_RUN_NAME_CHARACTERS),
        ttl=None if step.ttl is None else duration_of("ttl", step.ttl, names, least=0),
    )
    _wait(transition, token, wait)


def enter_start(transition: Transition, token: Token, step: StartStep, names: Names) -> None:
    """Start the step's run, and wait until it is stored. Raises ExpressionFailed.

    An entry of the input that yields nothing is left out: the flow has a default for it, or refuses to start.
    """
    if generation_of_next(transition.run, transition.at) > MAX_GENERATIONS:
        raise Runaway(
            f"{MAX_GENERATIONS} runs have started one another in a row, each within {GENERATION_MS // 1000} seconds"
        )
    is_one_value = source_of(step.input) is not None
    given = resolve(step.input, names) if is_one_value else resolve_known(step.input, names)
    fit("the input of the run that it starts", given)
    labels = _labels(step.labels, names)
    named = "" if step.run is None else _text("name", resolve(step.run, names), MAX_NAME_CHARACTERS)
    token = _activate(transition, token)
    if token.activation:
        name = named or f"{step.flow}-{token.activation.uuid}"
        _begin(transition, transition.set_wait(token, StartWait(run=name, input=given, labels=labels)))


def execute(transition: Transition, token: Token) -> None:
    """Do what the token's step is there for."""
    if token.activation:
        transition.emit(ExecuteStep(token.activation.uuid))


def generation_of_next(run: Run, at: Instant) -> int:
    """Return how many runs started one another in a row before a run that `run` starts at that moment."""
    return run.generation + 1 if at - run.created_at < GENERATION_MS else 0


def _wait(transition: Transition, token: Token, wait: EmitWait) -> None:
    _begin(transition, transition.set_wait(_activate(transition, token), wait))


def _activate(transition: Transition, token: Token) -> Token:
    return transition.activate(token, None)


def _begin(transition: Transition, token: Token) -> None:
    if transition.run.status is not Status.PAUSED:
        execute(transition, token)


def _key(value: Json) -> str:
    key = key_text(value)
    if len(key) > MAX_KEY_CHARACTERS:
        raise ExpressionFailed(f"the event's key has {len(key)} characters; {MAX_KEY_CHARACTERS} are the limit")
    return key


def _text(name: str, value: Json, longest: int) -> str:
    """Return the value as text that can be a name: 7 is `7`. Raises ExpressionFailed."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ExpressionFailed(f"`{name}` must be text, and is {shown(value)}")
    text = scalar_text(value)
    if not is_safe(text):
        raise ExpressionFailed(f"`{name}` must not have control characters, and is {text!a:.80}")
    if not 0 < len(text) <= longest:
        raise ExpressionFailed(f"`{name}` must have 1 to {longest} characters, and has {len(text)}")
    return text


def _labels(templates: dict[str, Template], names: Names) -> dict[str, Json]:
    """Return the labels; those that yield nothing are left out. Raises ExpressionFailed."""
    labels = resolve_known(templates, names)
    for name, value in labels.items():
        if not isinstance(value, (str, int, float, bool)):
            raise ExpressionFailed(f"label {name!r} must be text, a number, true or false, and is {shown(value)}")
    if len(labels) > MAX_LABELS:
        raise ExpressionFailed(f"there are {len(labels)} labels; {MAX_LABELS} are the limit")
    return labels
