"""What a run is shown with beside its state: children, items of eaches, cost."""

from typing import NotRequired, TypedDict

from chalicelib.entrypoints.http.responses.common import Count, Moment
from chalicelib.model.json_values import Json
from chalicelib.service.details.kinds import ItemStatus


class Cost(TypedDict):
    """The requests of a run so far on AWS: writes of its head, pages of its history, messages, answers by callback, and
    reads.

    `usd` is what DynamoDB, SQS, Lambda and API Gateway ask for them at list prices, by the size that the head has now
    (`bytes`, of JSON); `usd_by_service` are its parts: `dynamodb`, `sqs`, `lambda`, `api_gateway`. How long actions
    take to respond, and what is stored beside the head, are not in it. `step_functions_usd` is what a standard workflow
    of AWS Step Functions asks for as many state transitions as the run entered steps. `prices` says of where and when
    the prices are.
    """

    writes: Count
    reads: Count
    messages: Count
    pages: Count
    steps: Count
    answers: Count
    bytes: Count
    usd: float
    usd_by_service: dict[str, float]
    step_functions_usd: float
    prices: str


class StandardCost(TypedDict):
    """A Standard workflow: a state transition for each step that was entered, and for each retry of a delivery.
    `complete` is false if the history has older entries that were not read."""

    transitions: Count
    usd: float
    complete: bool


class ExpressCost(TypedDict):
    """An Express workflow: a request, and its duration in steps of 100 ms times its memory in chunks of 64 MB. `fits`
    is false if the run took longer than the 5 minutes that such a workflow may."""

    requests: Count
    duration_ms: Count
    memory_mb: Count
    gb_seconds: float
    usd: float
    fits: bool


class StepFunctionsCost(TypedDict):
    """What AWS Step Functions would have asked for the run, without what it calls."""

    standard: StandardCost
    express: ExpressCost


class ComparedCost(Cost):
    """The cost of a run, and what AWS Step Functions would have asked for it."""

    step_functions: StepFunctionsCost


class Child(TypedDict):
    """A run that a step started and waits for. `state` is what the step returned; empty while it waits. `stopping` is
    true if the child was asked to stop."""

    run: str
    step: str
    token: str
    uuid: str
    state: str
    stopping: bool


class Progress(TypedDict):
    """How far an each is. `left` counts items that have not started."""

    step: str
    token: str
    total: Count
    done: Count
    failed: Count
    running: Count
    left: Count


class Item(TypedDict):
    """One item of an each. `token` is that of its steps. `step` is where it is, or where it failed. `output` is what it
    returned. `since` is since when it waits, or when it ended; null if that is not known."""

    index: Count
    token: str
    status: ItemStatus
    step: str
    error: str
    error_name: str
    output: Json
    since: Moment | None


class ItemSpan(TypedDict):
    """`count` items from the index `first` that have the same status."""

    status: ItemStatus
    first: Count
    count: Count


class Items(Progress):
    """A page of the items of an each. Of an each that has returned, the newest 20,000 entries of the history tell what
    became of its items; `total` then counts those. `spans` has the statuses of all items, if the request asks for
    them."""

    items: list[Item]
    spans: NotRequired[list[ItemSpan]]
