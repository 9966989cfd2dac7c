"""What a million costs on AWS at list prices, counted from the requests of the real handlers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from bench.price import others
from bench.price.account import REPLY_MS, Account
from bench.price.paths import STEPS as STEPS_OF_PAGES
from bench.price.paths import Counted, Paths, chain, counted
from bench.report import table
from chalicelib.service.details.cost import IDLE_MONTH, MEMORY_MB, SWEEPS
from chalicelib.service.observability.prices import ARM_PRICES, LIST_PRICES, Requests

TITLE = "Price per million"
MILLION: Final = 1_000_000

STEPS: Final = 5
TARGETS: Final = {
    "callback through the REST API": 7.0,
    "callback through the Function URL": 2.5,
    "answer in the response": 2.0,
}
"""USD per million steps."""


def measure(seconds: float) -> str:  # noqa: ARG001 - it counts
    """Count, and return the section."""
    logging.disable(logging.CRITICAL)
    try:
        with Account() as account:
            paths = Paths(account)
            found, flows = counted(paths), _flows(paths)
            idle = idle_month(account)
        with Account(is_inline=False) as account:
            found["step, answered, through the queue"] = through_the_queue(Paths(account))
    finally:
        logging.disable(logging.NOTSET)
    return "\n".join(
        (
            f"List prices of {LIST_PRICES.name}; without free tiers, logs, and what the steps call.\n",
            _paths_table(found),
            _targets_table(found),
            _flows_table(flows),
            _idle_table(idle),
        )
    )


def by_rest(one: Counted) -> Counted:
    """Return the same with its callback through the REST API."""
    return one + Counted(Requests(rest_requests=1), 0)


def through_the_queue(paths: Paths) -> Counted:
    """Return the requests of a step that is answered in the response, without inline delivery."""
    return paths.each_of(lambda count: chain("work", count), STEPS_OF_PAGES, 2 * STEPS_OF_PAGES, is_answered=True)


def idle_month(account: Account) -> dict[str, Requests]:
    """Return the requests of a month in which nothing happens."""
    account.sweep()
    account.reset()
    account.clock.advance(60_000)
    account.sweep()
    return {
        "sweeps": account.requests * SWEEPS,
        "empty receives": IDLE_MONTH["empty receives"],
    }


def _flows(paths: Paths) -> dict[str, Counted]:
    """Return the requests of whole runs."""
    called = paths.run(chain("work", STEPS), has_callbacks=True)
    return {
        "callbacks, Function URL": called,
        "callbacks, REST API": called + Counted(Requests(rest_requests=STEPS), 0),
        "answers in the response": paths.run(chain("work", STEPS), is_answered=True),
        "plain REST": paths.run(chain("get", STEPS)),
    }


def _paths_table(found: Mapping[str, Counted]) -> str:
    rows = []
    for name, one in found.items():
        asked, parts = one.requests, one.requests.by_service()
        units = [asked.write_units, asked.index_writes, asked.read_units, asked.queue_requests, asked.invocations]
        usd = [parts[service] * MILLION for service in ("dynamodb", "sqs", "lambda", "api_gateway")]
        rows.append((name, *units, *usd, asked.usd() * MILLION, one.in_batches.usd() * MILLION))
    columns = (
        "one of a million",
        "write units",
        "index writes",
        "read units",
        "SQS requests",
        "invocations",
        "DynamoDB, USD",
        "SQS, USD",
        "Lambda, USD",
        "API Gateway, USD",
        "USD per million",
        "with ten messages per invocation",
    )
    memory = MEMORY_MB["deliveries"]
    on_arm = found["step, by callback"].requests.usd(ARM_PRICES)
    wait = REPLY_MS / 1000 * memory / 1024 * LIST_PRICES.gb_second * MILLION
    return table(columns, rows) + (
        "\nCallbacks come through the Function URL; through the REST API each costs "
        f"{LIST_PRICES.rest_request * MILLION:.2f} USD per million more. While an action takes {REPLY_MS} ms to "
        f"respond, the function of {memory} MB waits: {wait:.2f} USD per million, which is not in the table. "
        f"With functions on arm64 a step by callback costs {on_arm * MILLION:.2f} USD per million.\n"
    )


def _targets_table(found: Mapping[str, Counted]) -> str:
    called, answered = found["step, by callback"], found["step, answered in the response"]
    rows: list[tuple[object, ...]] = []
    for (name, target), one in zip(TARGETS.items(), (by_rest(called), called, answered), strict=True):
        rows.append((name, target, one.requests.usd() * MILLION, one.in_batches.usd() * MILLION))
    return table(("a step", "target, USD", "one message at a time", "ten at a time"), rows)


def _flows_table(flows: Mapping[str, Counted]) -> str:
    here: Callable[[Counted], float] = lambda one: one.requests.usd() * MILLION  # noqa: E731 - a column
    called, standard = here(flows["callbacks, Function URL"]), others.step_functions_standard(STEPS) * MILLION
    rows: list[tuple[object, ...]] = [(f"Echoer, {name}", here(one), here(one) / called) for name, one in flows.items()]
    there = {
        "Step Functions, Standard": standard,
        "Step Functions, Express, without callbacks": others.step_functions_express(STEPS, REPLY_MS) * MILLION,
        "Lambda durable function, callbacks": others.durable_functions(STEPS, has_callbacks=True, reply_ms=0) * MILLION,
        "Lambda durable function, steps": others.durable_functions(STEPS, has_callbacks=False, reply_ms=REPLY_MS)
        * MILLION,
    }
    rows += [(name, usd, usd / called) for name, usd in there.items()]
    return table((f"a run of {STEPS} steps", "USD per million runs", "to the first"), rows)


def _idle_table(idle: Mapping[str, Requests]) -> str:
    rows: list[tuple[object, ...]] = [(name, one.usd()) for name, one in idle.items()]
    return table(("an idle month", "USD"), [*rows, ("in all", sum(one.usd() for one in idle.values()))])
