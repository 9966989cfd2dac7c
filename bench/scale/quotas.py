"""The quotas of AWS that bound runs per second, and what a run uses of each.

What a run uses is counted from recorded requests. Each quota has where AWS documents it; `confirmed` is false for what
the documentation that was at hand does not say in so many words. Times of handlers on Lambda are assumptions: nothing
here was measured on AWS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.scale.cases import FEW, MANY
from bench.scale.partitions import MAX_WRITES
from bench.scale.recording import TABLE
from bench.scale.stories import Story

READ_ON: Final = "2026-11-27"

HANDLER_S: Final = 0.03
"""How long the API's function takes for a start or an answer: an assumption."""

DELIVERY_S: Final = 0.1
"""How long a delivery takes with the response of the action: an assumption."""

_STARTS: Final = 1
"""The requests of a run that go to the API in any case."""

BATCH: Final = 10
"""Messages of a batch, which are handled side by side."""


@dataclass(frozen=True)
class Quota:
    """A quota, what a run uses of it, and up to how many runs per second it lasts, by default and raised."""

    name: str
    default: float
    unit: str
    of_callback: float
    """What a run of five steps by callback uses of it."""
    of_inline: float
    raised: float | None
    how: str
    """The setting or the request that raises it."""
    source: str
    confirmed: bool = True

    def runs(self, used: float, of: float | None = None) -> float | None:
        """Return the runs per second at which it is met; None if a run uses nothing of it."""
        return (self.default if of is None else of) / used if used else None


def writes_of(story: Story, resource: str) -> int:
    return sum(
        access.writes for request in story.requests() for access in request.accesses if access.resource == resource
    )


def reads_of(story: Story) -> float:
    return sum(access.reads for request in story.requests() for access in request.accesses if access.resource == TABLE)


def busiest_key(story: Story) -> tuple[str, float]:
    """Return the index with the partition key that a run of one flow writes most often, and how often."""
    found: dict[tuple[str, str], float] = {}
    for request in story.requests():
        for access in request.accesses:
            if access.resource != TABLE and access.writes:
                found[access.resource, access.partition] = found.get((access.resource, access.partition), 0) + 1
    (index, _), writes = max(found.items(), key=lambda one: (one[1], one[0]))
    return index, writes


def _seconds_of(story: Story, batch: int) -> float:
    """Return the seconds of Lambda's concurrency that a run uses, where deliveries come in batches of so many."""
    return story.http * HANDLER_S + story.messages * DELIVERY_S / batch


def quotas(stories: Mapping[str, Story]) -> list[Quota]:
    """Return all quotas that bound the rate of runs."""
    callback, inline = stories["callback"], stories["inline"]
    index, most = busiest_key(callback)
    doc = "docs.aws.amazon.com/"
    dynamo, sqs = f"{doc}amazondynamodb/latest/developerguide/", f"{doc}AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    of_lambda = f"{doc}lambda/latest/dg/"
    return [
        Quota(
            f"DynamoDB: writes of one partition key, index `{index}` of one namespace",
            FEW * MAX_WRITES,
            f"units/s, {FEW} shards",
            most,
            busiest_key(inline)[1],
            MANY * MAX_WRITES,
            f"ECHOER_SHARDS={MANY}, or several namespaces",
            f"{dynamo}bp-partition-key-design.html",
        ),
        Quota(
            "DynamoDB: writes of a new table", 4_000, "units/s", writes_of(callback, TABLE), writes_of(inline, TABLE),
            40_000, "warm throughput of the table and its indexes", f"{dynamo}warm-throughput-scenarios.html",
        ),
        Quota(
            "DynamoDB: writes of a table", 40_000, "units/s", writes_of(callback, TABLE), writes_of(inline, TABLE),
            400_000, "a quota increase: table-level write throughput", f"{dynamo}ServiceQuotas.html",
        ),
        Quota(
            "DynamoDB: reads of a table", 40_000, "units/s", reads_of(callback), reads_of(inline),
            400_000, "a quota increase: table-level read throughput", f"{dynamo}ServiceQuotas.html",
        ),
        Quota(
            "API Gateway: requests of an account; callbacks at the API", 10_000, "requests/s", callback.http,
            inline.http,
            100_000, "a quota increase",
            f"{doc}apigateway/latest/developerguide/limits.html",
        ),
        Quota(
            "API Gateway: requests of an account; callbacks at a Function URL", 10_000, "requests/s", _STARTS,
            inline.http, 100_000, "a quota increase", f"{doc}apigateway/latest/developerguide/limits.html",
        ),
        Quota(
            "Lambda: requests at a Function URL, 10 for each of 1,000 environments", 10_000, "requests/s",
            callback.http - _STARTS, 0, 100_000, "a quota increase: concurrent executions",
            f"{of_lambda}urls-configuration.html",
        ),
        Quota(
            "Lambda: concurrent executions, batches of 10", 1_000, "at once", _seconds_of(callback, BATCH),
            _seconds_of(inline, BATCH), 10_000, "a quota increase: concurrent executions",
            f"{of_lambda}lambda-concurrency.html",
        ),
        Quota(
            "Lambda: concurrent executions, batches of 1", 1_000, "at once", _seconds_of(callback, 1),
            _seconds_of(inline, 1), 10_000, "a quota increase: concurrent executions",
            f"{of_lambda}lambda-concurrency.html",
        ),
        Quota(
            "Lambda: executions at once from one queue, batches of 10", 1_250, "at once",
            callback.messages * DELIVERY_S / BATCH, inline.messages * DELIVERY_S / BATCH, 20_000,
            "provisioned mode of the event source (2,000 pollers of 10 executions)",
            f"{of_lambda}services-sqs-scaling.html",
        ),
        Quota(
            "SQS: messages in flight in a queue", 120_000, "at once", callback.messages * DELIVERY_S,
            inline.messages * DELIVERY_S, None, "not raised; a second stage of another table",
            f"{sqs}quotas-queues.html",
        ),
        Quota(
            "SQS: requests of a standard queue", 0, "no number", callback.sends, inline.sends, None,
            "nearly unlimited for each of SendMessage, ReceiveMessage, DeleteMessage", f"{sqs}quotas-messages.html",
            confirmed=False,
        ),
    ]  # fmt: skip
