"""What holds for each step of a flow, and who said so: the step, its action, or the house. And what of it is secret.

Pure: `fsl explain` prints the rows, the language server shows them on hover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from chalicelib.model.actions import DEFAULTS, Action, Options, Retry
from chalicelib.model.flow import (
    ERROR,
    TIMEOUT,
    ActionStep,
    CallStep,
    ConditionStep,
    EachStep,
    EventStep,
    Flow,
    Step,
    children_of,
)
from chalicelib.model.times import Milliseconds  # fmt: skip

_T = TypeVar("_T")

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True)
class Said:
    """A setting in words, and who said it: `step`, `action` or `default`."""

    value: str
    by: str

    def __str__(self) -> str:
        return f"{self.value} ({self.by})"


@dataclass(frozen=True, slots=True)
class Row:
    """One step. None: there is no such thing for it."""

    step: str
    kind: str
    action: str | None = None
    timeout: Said | None = None
    heartbeat: Said | None = None
    retry: Said | None = None
    on_timeout: str | None = None
    """Where TIMEOUT leads, or that it stops the run."""
    on_error: str | None = None
    callback: Said | None = None
    """That its answers must be signed."""
    secret: str | None = None
    """What of it is secret: args, headers and data."""


def explain(flow: Flow, actions: Mapping[str, Action], defaults: Options = DEFAULTS) -> list[Row]:
    """A row for every step, nested ones too, in the order of the text. An action that is not known says nothing."""
    return list(_rows(flow.steps, actions, defaults, "stops the run"))


def _rows(steps: tuple[Step, ...], actions: Mapping[str, Action], defaults: Options, unrouted: str) -> Iterator[Row]:
    for step in steps:
        yield _row(step, actions, defaults, unrouted)
        nested = "fails its item" if isinstance(step, EachStep) else "fails its branch"
        for _, inner in children_of(step):
            yield from _rows(inner, actions, defaults, nested)


def duration(milliseconds: Milliseconds) -> str:
    """As FSL writes it, in the largest unit that needs no fraction."""
    return next(f"{milliseconds // size}{unit}" for unit, size in _UNITS if milliseconds % size == 0)


def _row(step: Step, actions: Mapping[str, Action], defaults: Options, unrouted: str) -> Row:
    kind = str(step.__struct_config__.tag)
    on_timeout, on_error = (", ".join(_ways(step, state, unrouted)) for state in (TIMEOUT, ERROR))
    match step:
        case ActionStep():
            action = actions.get(step.action)
            base = action.options if action else Options()
            layers = {"step": step.options, "action": base, "default": defaults}
            return Row(
                step.name,
                kind,
                step.action,
                _first({by: one.timeout for by, one in layers.items()}, duration),
                _first({by: one.heartbeat for by, one in layers.items()}, duration),
                _first({by: one.retry for by, one in layers.items()}, _retry),
                on_timeout,
                on_error,
                _first({by: one.signed or None for by, one in layers.items()}, lambda _: "signed"),
                ", ".join(_secrets(action, step.options.over(base))) or None,
            )
        case EventStep() | ConditionStep() | CallStep():
            timeout = _first({"step": step.timeout, "default": defaults.timeout}, duration)
            return Row(step.name, kind, timeout=timeout, on_timeout=on_timeout, on_error=on_error)
        case _:
            return Row(step.name, kind, on_error=on_error)


def _first(said: Mapping[str, _T | None], shown: Callable[[_T], str]) -> Said | None:
    return next((Said(shown(value), by) for by, value in said.items() if value is not None), None)


def _secrets(action: Action | None, options: Options) -> Iterator[str]:
    if action:
        yield from (one.name for one in action.parameters if one.secret)
    yield from (f"header {name}" for name in options.secret_headers)
    if action and action.secret_data:
        yield "data"


def _retry(retry: Retry) -> str:
    if retry.max == 1:
        return "1 delivery"
    return f"{retry.max} deliveries, {duration(retry.delay)} apart, times {retry.rate:g}, up to {duration(retry.cap)}"


def _ways(step: Step, state: str, unrouted: str) -> Iterator[str]:
    """Where the state leads: the routes that may take it, in order."""
    for route in step.routes:
        if route.state in (state, None):
            yield f"-> {route.target}" + (f" when {route.when}" if route.when is not None else "")
            if route.when is None:
                return
    yield unrouted
