"""Bugs put in on purpose into steps that act on others, into notices, and into the variables of scopes."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine import effects, notices, token_moves, transition_vars
from chalicelib.engine.transition import Transition
from chalicelib.model.waits import EmitWait
from chalicelib.service.events import publish
from chalicelib.service.events.publish import Signaler
from chalicelib.service.ports.events import Signal
from chalicelib.service.runs.effect_executor import EffectExecutor
from chalicelib.service.step_execution import StepExecutor


def _published_at_once(right: Any) -> Any:
    """The event is published when it is decided, before the decision is committed."""

    def write(self: Any, effect: Any, run: Any) -> None:
        token = run.token_of(effect.uuid) if isinstance(effect, effects.ExecuteStep) else None
        wait = token.activation.wait if token else None
        if token and isinstance(wait, EmitWait) and wait.to is None:
            now = self._clock.now()
            signal = Signal(
                id=token.activation.uuid.replace("-", ""),
                name=wait.event,
                key=wait.key,
                data=wait.data,
                at=now,
                until=now + 1_000,
                expires_at=now + 1_000,
            )
            self._store.signals.put(run.namespace, signal)
        right(self, effect, run)

    return write


def _random_id(right: Any) -> Any:
    ids = count()
    return lambda origin: f"{next(ids):032x}"


def _time_of_each_try(right: Any) -> Any:
    """An event that is published again has another place among the events of its name."""

    def signal(self: Any, *args: Any, origin: str, **more: Any) -> Any:
        made = right(self, *args, origin="", **more)
        return made if not origin else replace(made, id=origin.replace("-", ""))

    return signal


def _random_name(right: Any) -> Any:
    names = count()

    def start(self: Any, run: Any, token: Any, activation: Any, wait: Any) -> Any:
        return right(self, run, token, activation, replace(wait, run=f"{wait.run}.{next(names)}"))

    return start


def _nothing(result: Any) -> Any:
    return lambda right: lambda *args, **kwargs: result


def _without(kind: type) -> Any:
    return lambda right: lambda self, order: None if isinstance(order, kind) else right(self, order)


def _leaves_forgotten_at_timeout(right: Any) -> Any:
    """A wait that ends because its time is over sends no `on_leave`."""

    def leave(transition: Any, token: Any, activation: Any, wait: Any) -> None:
        if transition.at < activation.deadline:
            right(transition, token, activation, wait)

    return leave


def _leave_before_enter(_: Any) -> Any:
    return lambda run, notice: notice


def _notice_dropped(right: Any) -> Any:
    """A notice that could not be sent at once is dropped."""

    def update(transition: Any, notice: Any, activation: Any) -> Any:
        if activation.attempt:
            notices.remove(transition, notice)
            return notice
        return right(transition, notice, activation)

    return update


def _in_the_run(right: Any) -> Any:
    """What an item or a branch saves is saved in the run."""
    return lambda changed, token, tokens: {None: changed}


def _of_another_item(right: Any) -> Any:
    """All items share the variables that the first one has."""

    def begin(transition: Any, token: Any) -> None:
        siblings = [one for one in transition.tokens.values() if one.parent == token.parent and one.vars is not None]
        if token.vars is None and token.index is not None and siblings:
            transition.put(replace(token, vars=siblings[0].vars))
        else:
            right(transition, token)

    return begin


STEP_BUGS: Final = (
    ("event published before its commit", EffectExecutor, "_write", _published_at_once),
    ("id of an event is not its activation's", publish, "_id_of", _random_id),
    ("event published at another time when it is published again", Signaler, "_signal", _time_of_each_try),
    ("event not published", StepExecutor, "_publish", _nothing(None)),
    ("step of a run that acts on others not executed", Transition, "emit", _without(effects.ExecuteStep)),
    ("started run has another name at each attempt", StepExecutor, "_start", _random_name),
    ("on_leave forgotten at a timeout", notices, "leave", _leaves_forgotten_at_timeout),
    ("on_leave sent before on_enter", notices, "_first_of", _leave_before_enter),
    ("notice dropped after a failure", notices, "update", _notice_dropped),
    ("notice lost while its run was paused", notices, "release", _nothing(None)),
    ("variables of scopes kept in the run", transition_vars, "by_scope", _in_the_run),
    ("variables of a fork kept from its last visit", token_moves, "end_fork_scope", _nothing(None)),
    ("items share their variables", token_moves, "begin_scope", _of_another_item),
)
"""Name, owner and attribute of each bug, and what makes the wrong from the right."""
