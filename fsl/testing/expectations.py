"""What a test can expect: the `expect` of a test file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, UNSET, UnsetType
from msgspec.structs import fields

from chalicelib.model.hooks import HookEvent
from chalicelib.model.json_values import Json
from chalicelib.model.status import Status
from fsl.testing.parts import Moment, Part, Span


class Contains(Part, frozen=True, kw_only=True):
    """These steps in this order, possibly with others in between."""

    contains: list[str | dict[str, str]]


class ErrorFields(Part, frozen=True, kw_only=True):
    """The error of a run. Only the given fields are checked."""

    name: str | UnsetType = UNSET
    cause: str | UnsetType = UNSET
    step: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    status: int | UnsetType | None = UNSET
    data: Any = UNSET


class _Happening(Part, frozen=True, kw_only=True):
    at: Moment | UnsetType = UNSET
    run: str | UnsetType = UNSET


class Emitted(_Happening, frozen=True, kw_only=True):
    """An event that an `emit` step published; with `to`, the run of a signal. `at` is since the start."""

    name: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    data: Any = UNSET
    to: str | UnsetType = UNSET


class Started(_Happening, frozen=True, kw_only=True):
    """A run that a `start` step of the run `run` started."""

    name: str | UnsetType = UNSET
    flow: str | UnsetType = UNSET
    input: Any = UNSET
    labels: dict[str, Any] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    output: Any = UNSET


class Notified(_Happening, frozen=True, kw_only=True):
    """A notification of a hook."""

    event: HookEvent | UnsetType = UNSET
    hook: str | UnsetType = UNSET
    flow: str | UnsetType = UNSET
    step: str | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    labels: dict[str, Any] | UnsetType = UNSET
    detail: Any = UNSET
    error: Any = UNSET
    action: str | UnsetType = UNSET


class Canceled(_Happening, frozen=True, kw_only=True):
    """A notice to the `cancel` address of an action: an activation of it was abandoned."""

    action: str | UnsetType = UNSET
    step: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Ignored(_Happening, frozen=True, kw_only=True):
    """An answer that moved nothing, because its step had returned or its branch or run had ended."""

    action: str | UnsetType = UNSET
    step: str | UnsetType = UNSET
    state: str | UnsetType = UNSET


class Expect(Part, frozen=True, kw_only=True):
    """What must be true at the end. Only the given fields are checked.

    path: the steps in the order in which they returned (a fork comes after its branches), each as a name or as
    `{name: STATE}`. at: the steps at which the run waits. undone: the undone steps, in order. vars, labels: these
    values among others. error: the name of the run's error, or fields of it; null if it has none. last_err: a regular
    expression that the last error must contain. calls: for each action the number of calls, or the args of each call
    (these among others). call_times: when an action was called, since the start. order: calls of several actions in
    this order, possibly with others in between, each as a name or as `{name: args}`. most: for each action the largest
    number of its activations that were in progress at once. history: these events in this order, each as a name or as
    fields. within: the longest duration; takes: the exact one. emitted, started, notified, canceled, ignored: what
    `emit` and `start` steps did, what hooks and `cancel` addresses received, and which answers moved nothing; all of
    them in order, each as a name (of the event, run, hook event or action) or as fields. slots: the last ten slots of
    the tested schedule, each as the time of a run that it started, or as `{time: skipped}` (also queued, missed,
    failed). assert: JSONata over $input, $vars, $result (the output), $error (the last error) and $run with name status
    labels path undone calls history took (milliseconds) error vars output, and runs: the same of each of several runs,
    by name.
    """

    status: Status | None = None
    path: list[str | dict[str, str]] | Contains | None = None
    at: str | list[str] | None = None
    undone: list[str] | None = None
    output: Any = UNSET
    vars: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    error: str | ErrorFields | UnsetType | None = UNSET
    last_err: str | None = None
    calls: dict[str, int | list[dict[str, Any]]] = {}
    call_times: dict[str, list[Moment]] = {}
    order: list[str | dict[str, dict[str, Any]]] = []
    most: dict[str, int] = {}
    history: list[str | dict[str, Any]] = []
    within: Span | None = None
    takes: Span | None = None
    emitted: list[str | Emitted] | None = None
    started: list[str | Started] | None = None
    notified: list[str | Notified] | None = None
    canceled: list[str | Canceled] | None = None
    ignored: list[str | Ignored] | None = None
    slots: list[str | dict[str, str]] | None = None
    checks: str | list[str] = msgspec.field(name="assert", default_factory=list)


NAMED_BY: Final = {
    "emitted": "name",
    "started": "name",
    "notified": "event",
    "canceled": "action",
    "ignored": "action",
}
"""The field by which each of what happens is named, where it is written as a name."""

OF_ONE_RUN: Final = (
    "status", "path", "at", "undone", "output", "vars", "labels", "error", "last_err", "history", "within", "takes",
)  # fmt: skip
"""What can only be expected of one run, not of several together."""

OF_THE_TEST: Final = ("most", "slots")
"""What can only be expected of a test as a whole."""


def given(part: Part) -> dict[str, Json]:
    """Return the fields that the test file has."""
    found = {name: getattr(part, name) for name in part.__struct_fields__}
    return {name: value for name, value in found.items() if value is not UNSET}


def set_fields(part: Part, among: Iterable[str] = ()) -> list[str]:
    """Return the fields, among these or among all, that the test file gives other values than the default."""
    usual = {
        one.name: one.default_factory() if one.default_factory is not NODEFAULT else one.default
        for one in fields(type(part))
    }
    return [name for name in among or part.__struct_fields__ if getattr(part, name) != usual[name]]
