"""What a million costs: every counted figure of `make bench PARTS=price`, and the estimate that the service shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.parts import price
from bench.price import others
from bench.price.account import NAMESPACE, Account
from bench.price.paths import STEPS, Counted, Paths, chain, each, fork
from chalicelib.config import Backend, Settings
from chalicelib.service.details.cost import ANSWERED_CPU_MS, CPU_MS, IDLE_MONTH, MEMORY_MB, REQUESTS, SEND_CPU_MS
from chalicelib.service.observability.prices import Requests

CALLBACKS = {"has_callbacks": True}
ANSWERED = {"is_answered": True}


@pytest.fixture(scope="module")
def host() -> Iterator[Paths]:
    with Account() as account:
        yield Paths(account)


@pytest.fixture
def paths(host: Paths) -> Paths:
    host.account.configure()
    return host


@pytest.fixture(scope="module")
def called(host: Paths) -> Counted:
    return host.each_of(steps("work"), STEPS, 2 * STEPS, **CALLBACKS)


@pytest.fixture(scope="module")
def answered(host: Paths) -> Counted:
    return host.each_of(steps("work"), STEPS, 2 * STEPS, **ANSWERED)


def steps(kind: str) -> Callable[[int], str]:
    return lambda count: chain(kind, count)


@pytest.mark.parametrize(
    ("made", "few", "many", "how", "expected"),
    [
        (steps("get"), STEPS, 2 * STEPS, {}, (26 / 24, 0, 1 / 24, 3 / 24, 1 / 24)),
        (steps("wait"), STEPS, 2 * STEPS, {}, (26 / 24, 2, 1, 3, 1)),
        (steps("long wait"), 4, 8, {}, (1, 2, 1, 3, 1)),
        (steps("set"), 4, 8, {}, (0, 0, 0, 0, 0)),
        (fork, 4, 8, ANSWERED, (5 / 4, 0, 1, 2, 1)),
    ],
    ids=["plain REST", "wait", "long wait", "set", "branch"],
)
def test_what_one_asks_for(
    paths: Paths, made: Callable[[int], str], few: int, many: int, how: dict[str, bool], expected: tuple[float, ...]
) -> None:
    assert counts(paths.each_of(made, few, many, **how)) == pytest.approx(expected)


def test_functions_are_priced_with_the_memory_that_they_have() -> None:
    configured = json.loads(Path(".chalice/config.json").read_text())
    memory = {
        name: function.get("lambda_memory_size", configured["lambda_memory_size"])
        for name, function in configured["lambda_functions"].items()
    }
    assert [*MEMORY_MB.values()] == [
        memory[name] for name in ("api_handler", "callback", "deliver", "wake", "dead_letter", "sweep")
    ]


def test_the_documented_cpu_of_functions_is_the_one_that_is_priced() -> None:
    """The page shows the milliseconds of CPU, the requests, and what sending takes."""
    text = Path("docs/architecture.md").read_text()
    shown = [tuple(map(float, row)) for row in re.findall(r"\(`\w+`\) \| ([\d.]+) \| (\d+) \| ([\d.]+) \|", text)]
    functions = [(CPU_MS[name], REQUESTS[name]) for name in ("api", "callback", "deliveries", "wakes", "sweep")]
    functions[3:3] = [(CPU_MS["deliveries"] + ANSWERED_CPU_MS, 3), (ANSWERED_CPU_MS, 1)]
    assert shown == [pytest.approx((cpu, count, count * SEND_CPU_MS)) for cpu, count in functions]


def test_what_a_step_asks_for(called: Counted, answered: Counted) -> None:
    assert counts(called) == pytest.approx((27 / 24, 0, 2, 3, 2))
    assert counts(answered) == pytest.approx((27 / 24, 0, 1 / 24, 3 / 24, 1 / 24))  # 20 steps with each message


def test_an_item_asks_for_no_more_messages_than_a_step(paths: Paths) -> None:
    found = paths.each_of(each, 20, 40, **ANSWERED).requests
    assert found.write_units < 2.7  # all of them are in flight, and the head has a token for each
    assert found.queue_requests < 2.2
    assert found.invocations == 1


def test_the_price_of_a_step(called: Counted, answered: Counted) -> None:
    """One message at a time, and ten at a time: the second is what a busy account pays."""
    assert usd(price.by_rest(called).requests) < 7
    assert (usd(called.requests), usd(answered.requests)) == pytest.approx((2.75, 0.85), abs=0.01)
    assert usd(called.in_batches) < 2.5
    assert usd(answered.requests) < 2


def test_a_start_and_an_end(paths: Paths) -> None:
    assert counts(paths.start_only(chain("work", 2))) == (1, 4, 0, 1, 1)
    end = paths.end()
    assert (end.requests.index_writes, end.requests.queue_requests, end.received) == (7, -3, -1)  # nothing is delivered


def test_an_idle_month(paths: Paths) -> None:
    """`fsl cost --idle` shows it without counting."""
    idle = price.idle_month(paths.account)
    assert idle == IDLE_MONTH
    assert idle["empty receives"].queue_requests == 1_944_000
    assert sum(one.usd() for one in idle.values()) < 1


def test_without_inline_delivery_each_step_asks_for_a_message(paths: Paths) -> None:
    paths.account.configure(is_inline=False)
    found = price.through_the_queue(paths)
    assert counts(found) == pytest.approx((27 / 24, 0, 1, 3, 1))
    assert usd(found.requests) == pytest.approx(2.43, abs=0.01)


@pytest.mark.parametrize("by_rest", [False, True])
def test_what_the_service_shows_is_what_was_asked_for(paths: Paths, by_rest: bool) -> None:
    runs: list[tuple[str, dict[str, Any], float]] = [
        (chain("work", 5), CALLBACKS, 0.001),
        (chain("work", 30), CALLBACKS, 0.001),
        (chain("work", 30), ANSWERED, 0.001),
        (chain("get", 5), {}, 0.001),
        (chain("wait", 5), {}, 0.1),
        (chain("long wait", 3), {}, 0.1),
        (fork(4), ANSWERED, 0.1),
        (each(8), ANSWERED, 0.1),
    ]
    account = paths.account
    account.configure(by_rest=by_rest)
    for flow, how, tolerance in runs:
        counted = paths.run(flow, **how)
        view = account.services.reader.path(NAMESPACE, paths.last)
        shown, _ = account.services.run_details.compared(view.run, view.entries, account.clock.now())
        assert shown.usd == pytest.approx(counted.requests.usd(), rel=tolerance), flow
        assert sum(shown.usd_by_service.values()) == pytest.approx(shown.usd, abs=1e-8)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (None, True),
        ("https://a1b2.execute-api.us-east-1.amazonaws.com/api", True),
        ("https://a1b2.lambda-url.us-east-1.on.aws", False),
        ("https://answers.example", False),
    ],
)
def test_who_asks_for_a_callback(base: str | None, expected: bool) -> None:
    assert Settings(backend=Backend.AWS, callback_base=base).answered_by_rest is expected
    assert not Settings(callback_base=base).answered_by_rest


def test_what_others_ask() -> None:
    assert others.step_functions_standard(5) == pytest.approx(125e-6)
    assert others.step_functions_express(5, 50) == pytest.approx(1e-6 + 0.3 * 64 / 1024 * 0.00001667, abs=1e-9)
    assert others.durable_functions(5, has_callbacks=False, reply_ms=0) == pytest.approx(6 * 8e-6, rel=0.05)
    assert others.durable_functions(5, has_callbacks=True, reply_ms=0) == pytest.approx(11 * 8e-6, rel=0.05)


def test_ten_messages_at_once() -> None:
    alone = Counted(Requests(queue_requests=3, invocations=2), received=1)
    assert (alone.in_batches.queue_requests, alone.in_batches.invocations) == pytest.approx((1.2, 1.1))


def counts(found: Counted) -> tuple[float, ...]:
    """Write units, writes of index entries, read units, requests to SQS, invocations."""
    one = found.requests
    return one.write_units, one.index_writes, one.read_units, one.queue_requests, one.invocations


def usd(requests: Requests) -> float:
    """USD per million."""
    return requests.usd() * price.MILLION
