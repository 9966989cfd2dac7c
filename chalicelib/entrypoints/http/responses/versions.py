"""Responses about versions of definitions."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import AslProblem, Moment, Number
from chalicelib.model.json_values import Json


class Version(TypedDict):
    """A version of a definition. `created_by` is the caller that submitted it; empty if that is not known."""

    version: Number
    uuid: str
    created_at: Moment
    created_by: str


class User(TypedDict):
    """A definition that refers to another one, in its newest version."""

    kind: str
    name: str
    version: Number


class Users(TypedDict):
    """What refers to a definition; of all definitions of the namespace, if `complete`."""

    used_by: list[User]
    complete: bool


class FlowMachine(TypedDict):
    """A flow as a machine of AWS Step Functions (`asl`: a definition in Amazon States Language with the query language
    JSONata), and what differs or must be known."""

    asl: dict[str, Json]
    problems: list[AslProblem]


class Setting(TypedDict):
    """A setting that differs, as it is written. A value is null where the version does not state it."""

    name: str
    before: Json
    after: Json


class RouteChange(TypedDict):
    """Routes, as they are written, that only the later version or only the earlier one has."""

    added: list[str]
    removed: list[str]


class DiffStep(TypedDict):
    """A step that only one version has. `within` is the path of the steps and branches around it."""

    step: str
    kind: str
    within: str
    routes: list[str]


class ChangedStep(TypedDict):
    """A step that both versions have, and that differs."""

    step: str
    settings: list[Setting]
    routes: RouteChange


class StepChange(TypedDict):
    """Steps that were added, removed and changed. A renamed step was removed and added."""

    added: list[DiffStep]
    removed: list[DiffStep]
    changed: list[ChangedStep]


class DiffRoute(TypedDict):
    """A route of a step, as it is written."""

    step: str
    route: str


class Routes(TypedDict):
    """Every route that was added or removed, also with its step."""

    added: list[DiffRoute]
    removed: list[DiffRoute]


class NameChange(TypedDict):
    """Names that only the later version has, and those that only the earlier one has."""

    added: list[str]
    removed: list[str]


# `from` is no name in Python.
FlowDiff = TypedDict(
    "FlowDiff",
    {
        "flow": str,
        "from": Number,
        "to": Number,
        "steps": StepChange,
        "routes": Routes,
        "actions": NameChange,
        "flows": NameChange,
        "settings": list[Setting],
        "text": str,
    },
)
FlowDiff.__doc__ = (
    "What changed from one version of a flow to another: its steps, routes, the actions and flows that it uses, its "
    "own settings, and the whole as a unified diff."
)


class ActionSchema(TypedDict):
    """JSON Schemas of what an action is sent, and of what it answers with each of `states`."""

    sent: dict[str, Json]
    answers: dict[str, Json]
    states: list[str]


class FlowSchema(TypedDict):
    """JSON Schemas of the input of a flow, of the data of the events that it waits for, and of its actions."""

    flow: str
    version: Number
    input: dict[str, Json]
    events: dict[str, dict[str, Json]]
    actions: dict[str, ActionSchema]
