"""List prices of AWS, for the cost of runs: one table, of one region and month. Discounts and free tiers are left out.

Sources: the pricing pages of DynamoDB (on-demand mode, standard table class), SQS (standard queues), Lambda, API
Gateway (REST and HTTP APIs) and Step Functions (Standard and Express workflows; of Express the first 1,000 GB-hours of
a month), each for US East (N. Virginia): https://aws.amazon.com/step-functions/pricing/ and its siblings.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

_MILLION: Final = 1_000_000

X86: Final = "x86_64"
ARM: Final = "arm64"
"""The architectures of Lambda functions, as AWS names them."""


class Prices(NamedTuple):
    """Prices in USD."""

    region: str
    month: str
    """The month in which the table was made, as YYYY-MM."""
    write_unit: float
    """A write request unit of DynamoDB: a write of at most 1 KB."""
    read_unit: float
    """A read request unit: a consistent read of at most 4 KB."""
    queue_request: float
    """A request to SQS with at most 64 KB."""
    invocation: float
    """An invocation of a Lambda function."""
    gb_second: float
    """A second of a Lambda function with 1 GB of memory."""
    rest_request: float
    """A request through a REST API of API Gateway."""
    http_request: float
    """A request through an HTTP API of API Gateway."""
    state_transition: float
    """A state transition of a Standard workflow of Step Functions."""
    express_request: float
    """The start of an execution of an Express workflow."""
    express_gb_second: float
    """A second of an execution of an Express workflow with 1 GB of memory."""
    stored_gb_month: float
    """A gigabyte in DynamoDB for a month."""
    durable_operation: float
    """An operation of a Lambda durable function: a start, a step, a wait."""
    durable_gb_written: float
    """A gigabyte that a durable function writes."""
    durable_gb_month: float
    """A gigabyte that is retained of durable functions for a month."""
    architecture: str = X86
    """The architecture of the Lambda functions."""

    @property
    def name(self) -> str:
        """The region and the month, and the architecture if it is not x86_64."""
        return f"{self.region} {self.month}" + ("" if self.architecture == X86 else f", {self.architecture}")


LIST_PRICES: Final = Prices(
    region="us-east-1",
    month="2026-11",
    write_unit=0.625 / _MILLION,
    read_unit=0.125 / _MILLION,
    queue_request=0.40 / _MILLION,
    invocation=0.20 / _MILLION,
    gb_second=0.0000166667,
    rest_request=3.50 / _MILLION,
    http_request=1.00 / _MILLION,
    state_transition=25.0 / _MILLION,
    express_request=1.00 / _MILLION,
    express_gb_second=0.00001667,
    stored_gb_month=0.25,
    durable_operation=8.0 / _MILLION,
    durable_gb_written=0.25,
    durable_gb_month=0.15,
)

ARM_PRICES: Final = LIST_PRICES._replace(gb_second=0.0000133334, architecture=ARM)
"""The same for functions on arm64: Lambda's pricing page, as it was known here in the same month."""


def prices_on(machine: str) -> Prices:
    """Return the prices of functions that run on such a machine, by the name that its system has for it."""
    return ARM_PRICES if machine in (ARM, "aarch64") else LIST_PRICES


EXPRESS_STEP_MS: Final = 100
"""The duration of an Express workflow is rounded up to so many milliseconds."""

EXPRESS_CHUNK_MB: Final = 64
"""Its memory is rounded up to so many megabytes."""

EXPRESS_BASE_MB: Final = 50
"""The memory of an execution without data, in the examples of AWS's pricing page."""

EXPRESS_MAX_MS: Final = 5 * 60_000
"""How long an Express workflow may run."""

WRITE_UNIT_BYTES: Final = 1_024
READ_UNIT_BYTES: Final = 4_096

REQUESTS_PER_MESSAGE: Final = 3
"""Requests to SQS for a message: send, receive, delete. Batches need fewer."""


def write_units(size: int) -> int:
    """Return the write request units of an item of so many bytes."""
    return max(1, -(-size // WRITE_UNIT_BYTES))


def read_units(size: int) -> int:
    """Return the read request units of a consistent read of an item of so many bytes."""
    return max(1, -(-size // READ_UNIT_BYTES))


class Requests(msgspec.Struct):
    """Requests that AWS bills, as they were counted or as they are expected. A retry or a part counts as a fraction."""

    write_units: float = 0
    index_writes: float = 0
    """Entries of indexes that were put or deleted: a write unit each, since they have nothing but keys."""
    read_units: float = 0
    queue_requests: float = 0
    invocations: float = 0
    gb_seconds: float = 0
    rest_requests: float = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))

    def __mul__(self, times: float) -> Requests:
        return Requests(*(getattr(self, name) * times for name in self.__struct_fields__))

    def usd(self, prices: Prices = LIST_PRICES) -> float:
        """Return what they cost."""
        return sum(self.by_service(prices).values())

    def by_service(self, prices: Prices = LIST_PRICES) -> dict[str, float]:
        """Return what they cost by the name of the service that asks for it."""
        return {
            "dynamodb": (self.write_units + self.index_writes) * prices.write_unit + self.read_units * prices.read_unit,
            "sqs": self.queue_requests * prices.queue_request,
            "lambda": self.invocations * prices.invocation + self.gb_seconds * prices.gb_second,
            "api_gateway": self.rest_requests * prices.rest_request,
        }
