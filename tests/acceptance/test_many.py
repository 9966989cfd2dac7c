"""Many concurrent runs."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.actions import Actions
from tests.acceptance.api import Api
from tests.acceptance.fsl import action, flow, step

RUNS = 150


def test_150_runs_end_with_one_delivery_per_activation(api: Api, actions: Actions, name: str) -> None:
    """Three steps per run, answered by callbacks: 450 activations, 450 deliveries, each uuid once."""
    service = actions.answering("OK")
    api.submit(
        action(name, service.url),
        flow(name, step("A", name, "OK -> B"), step("B", name, "OK -> C"), step("C", name, "OK -> done")),
    )
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: api.start(name, name=f"{name}-{n}"), range(RUNS)))
        specs = list(pool.map(lambda run: api.ended(run, 120), runs))
        histories = list(pool.map(api.history, runs))
    assert Counter(spec["status"] for spec in specs) == {"succeeded": RUNS}
    ended = [entry["uuid"] for history in histories for entry in history if entry["event"] == "StepAcked"]
    assert Counter(delivery.uuid for delivery in service.deliveries) == Counter(ended)
    assert len(set(ended)) == 3 * RUNS
