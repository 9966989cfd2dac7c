"""Responses about activations: what was sent, and what came back."""

from typing import TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Moment, Number
from chalicelib.entrypoints.http.responses.waits import Waiting
from chalicelib.model.json_values import Json
from chalicelib.service.details.kinds import ArgsOrigin


class Delivery(TypedDict):
    """One delivery: where it was sent, the HTTP status of the response, how long the request took, and why it failed.

    `at` is when it began, or when its result was recorded if the server keeps no log of deliveries (`logged` of the
    activation). `status` and `duration_ms` are null where they are not known.
    """

    at: Moment
    address: str
    status: int | None
    duration_ms: Count | None
    error: str


class ActivationReport(TypedDict):
    """Progress that the action reported."""

    seq: Number
    at: Moment
    by: str
    state: str
    data: Json
    vars: dict[str, Json]


class ActivationError(TypedDict):
    """Why a step returned its state."""

    name: str
    cause: str


class ActivationAnswer(TypedDict):
    """What ended the activation: an answer, a failed delivery, a timeout. `to` is where the state led."""

    seq: Number
    at: Moment
    event: str
    by: str
    state: str
    data: Json
    error: ActivationError | None
    vars: dict[str, Json]
    to: str


# `from` is no name in Python.
PartialHistory = TypedDict("PartialHistory", {"from": Number})
PartialHistory.__doc__ = "The first history entry that was read: what is older is missing."


class _Partial(TypedDict, total=False):
    partial: PartialHistory


class Activation(_Partial):
    """One visit of a step by a token: what was sent and what came back. Secrets are masked.

    `state` is what the step returned; it is empty while it waits. `args_from` says where the args are known from: the
    run itself, the log of deliveries, or the history; `unknown_args` names those that are not known any more. `headers`
    are those of its requests. `logged` is true if `deliveries` are all of them; otherwise deliveries that were taken
    are missing.
    """

    uuid: str
    run: str
    step: str
    token: str
    action: str
    current: bool
    state: str
    since: Moment | None
    waits_for: Waiting | None
    args: dict[str, Json]
    args_from: ArgsOrigin
    unknown_args: list[str]
    headers: dict[str, str]
    deliveries: list[Delivery]
    logged: bool
    reports: list[ActivationReport]
    answer: ActivationAnswer | None
    late: list[ActivationAnswer]
