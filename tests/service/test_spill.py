"""What is large lies beside the head; nobody who reads a run notices."""

from __future__ import annotations

import pytest

from chalicelib.definition import Json
from chalicelib.engine.bounds import LARGEST
from chalicelib.engine.errors import TooLarge
from chalicelib.engine.lifecycle import Status
from chalicelib.engine.run import encode
from chalicelib.service.ports import Reply, Taken
from chalicelib.service.spill import LARGE
from tests.service.world import NS, Small

FLOW = """
action work addr = "http://work.test/"; args = (any x = null); return = (OK); action_end
/
flow f
    input = (any big);
    step A => (OK -> B) { action = work; args = (x = ${ $input.big }); save = (kept = ${ $result }); };
    step B => (OK -> done) { action = work; args = (x = ${ $vars.kept }); };
flow_end
"""


@pytest.fixture
def small() -> Small:
    made = Small()
    made.submit(FLOW)
    return made


def test_large_values_travel_on_and_the_head_stays_small(small: Small) -> None:
    big = {"rows": ["x" * 100] * 20_000}
    small.start("f", big=big)
    sizes: list[int] = []

    def weigh(request: dict[str, Json]) -> Reply:
        sizes.append(head_size(small))
        return Taken({"ackState": "OK", "data": request["x"]})

    small.actions.script = weigh
    small.settle()
    run = small.run()
    assert (run.status, run.output, run.vars["kept"], run.input["big"]) == (Status.SUCCEEDED, big, big, big)
    assert [request["x"] for request in small.actions.requests] == [big, big]
    assert max(sizes) < 2 * LARGE


def head_size(small: Small) -> int:
    stored = small.store.runs.load(NS, "r")
    assert stored is not None
    return len(encode(stored))


def test_the_history_tells_large_data_too(small: Small) -> None:
    big = "y" * 10_000
    small.start("f", big=big)
    small.settle()
    entries = small.services.reader.history(NS, "r", 0, 100)
    assert [entry.data for entry in entries] == [None, big, big]


def test_a_value_that_looks_like_a_reference_comes_back_as_it_was(small: Small) -> None:
    sly = {"\0spilled": "value/of-another-run"}
    small.start("f", big=sly)
    small.settle()
    assert small.run().output == sly


def test_what_is_too_large_is_refused_with_the_limit(small: Small) -> None:
    with pytest.raises(TooLarge, match=str(LARGEST)):
        small.start("f", big="z" * LARGEST)
