"""Large values are stored as blobs; readers of a run see no difference."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from threading import RLock

import pytest
from msgspec.structs import replace

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.engine.errors import TooLarge
from chalicelib.engine.values.size_limits import MAX_VALUE_BYTES
from chalicelib.model import formats
from chalicelib.model.history import Entries, encode_page
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, encode
from chalicelib.model.status import Status
from chalicelib.service.ports.actions import Reply, Taken
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.references import MAX_HEAD_BYTES, MAX_INLINE_BYTES
from tests.adapters.samples import a_run
from tests.hosts import NS, Host

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
def host() -> Host:
    made = Host()
    made.submit(FLOW)
    return made


def test_large_values_travel_on_and_the_head_stays_small(host: Host) -> None:
    big = {"rows": ["x" * 100] * 20_000}
    host.start("f", big=big)
    sizes: list[int] = []

    def weigh(request: dict[str, Json]) -> Reply:
        sizes.append(head_size(host))
        return Taken({"ackState": "OK", "data": request["x"]})

    host.actions.script = weigh
    host.settle()
    run = host.run()
    assert (run.status, run.output, run.vars["kept"], run.input["big"]) == (Status.SUCCEEDED, big, big, big)
    assert [request["x"] for request in host.actions.requests] == [big, big]
    assert max(sizes) < 2 * MAX_INLINE_BYTES


def test_a_large_value_that_stays_is_written_once() -> None:
    written: list[str] = []

    class Recording(MemoryRuns):
        def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
            written.extend(values)
            super().put_blobs(run, values)

    runs = OffloadingRunStore(Recording(RLock()))
    run = a_run(vars={"v": "x" * 100_000})
    runs.create(NewRun(run))
    assert len(written) == 2  # the value and its preview
    for version in range(2, 5):
        run = replace(run, version=version, output="y" * 5_000 * (version - 1))
        runs.save(run, version - 1)
        assert runs.load("ns", "r1") == run
    assert len(written) == 5  # and three outputs, too small for a preview
    fresh = OffloadingRunStore(runs._runs)
    assert fresh.load("ns", "r1") == run
    fresh.save(replace(run, version=5), 4)
    assert len(set(written)) == 5


def head_size(host: Host) -> int:
    stored = host.store.runs.load(NS, "r")
    assert stored is not None
    return len(encode(stored))


def test_the_history_contains_large_data(host: Host) -> None:
    big = "y" * 10_000
    host.start("f", big=big)
    host.settle()
    entries = host.services.reader.history(NS, "r", 0, 100)
    assert [entry.data for entry in entries] == [None, big, big]


def test_a_value_that_looks_like_a_reference_comes_back_as_it_was(host: Host) -> None:
    sly = {"\0spilled": "value/of-another-run"}
    host.start("f", big=sly)
    host.settle()
    assert host.run().output == sly


def test_what_is_too_large_is_refused_with_the_limit(host: Host) -> None:
    with pytest.raises(TooLarge, match=str(MAX_VALUE_BYTES)):
        host.start("f", big="z" * MAX_VALUE_BYTES)


# ── many small values ────────────────────────────────────────────────────────────────────────────────────────────────


def many(size: int, each: int = 3_000) -> dict[str, Json]:
    """Return values of that total size in bytes, each too small to be stored as a blob."""
    return {f"v{number:04}": "x" * (each - 10) for number in range(size // each)}


def test_thousands_of_small_variables_do_not_make_a_head_large(host: Host) -> None:
    """With the maximum of variables the run continues, and its history and variables are complete."""
    told = many(MAX_VALUE_BYTES - 100_000)
    host.start("f", big=1)
    host.actions.script = lambda request: Taken(None)
    host.settle()
    uuid = host.uuid("A")
    host.services.answerer.answer(
        NS, Answer(run="r", step="A", uuid=uuid, state="OK", done=True, data="ok", variables=told)
    )
    assert head_size(host) < 1_000
    assert host.run().vars == {**told, "kept": "ok"}
    assert host.run().token_of(host.uuid("B")) is not None
    host.services.operator.pause(NS, "r")
    host.services.operator.resume(NS, "r")
    host.answer("B", "OK", data="done")
    assert host.run().status is Status.SUCCEEDED
    entries = host.services.reader.history(NS, "r", 0, 100)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[1].vars == told
    assert head_size(host) < 1_000


def test_a_head_is_offloaded_only_beyond_its_limit(host: Host) -> None:
    host.start("f", big=1)
    host.services.operator.set_vars(NS, "r", many(MAX_HEAD_BYTES // 3))
    assert MAX_HEAD_BYTES // 3 < head_size(host) <= MAX_HEAD_BYTES  # the history contains the variables too
    host.services.operator.set_vars(NS, "r", many(MAX_HEAD_BYTES))
    assert head_size(host) < 1_000
    host.services.operator.set_vars(NS, "r", {}, remove=list(many(MAX_HEAD_BYTES)))
    for _ in range(9):
        host.services.operator.set_vars(NS, "r", {"a": 1})
    assert host.run().vars == {"a": 1}
    assert head_size(host) < 2 * MAX_INLINE_BYTES


def test_thousands_of_steps_in_one_move_make_neither_head_nor_page_large() -> None:
    host = Host()
    names = [*(f"S{n}" for n in range(1_999)), "W"]
    steps = [f"set {one} => (DONE -> {after}) {{ save = (x = 1); }};" for one, after in pairwise(names)]
    host.submit("flow f " + " ".join(steps) + f" wait W => (DONE -> {names[0]}) {{ for = 1m; }}; flow_end")
    host.start("f")
    assert head_size(host) < MAX_HEAD_BYTES
    host.pass_time(61_000)
    assert head_size(host) < MAX_HEAD_BYTES
    page, *_ = host.store.runs.pages(host.run(), 0)
    assert len(encode_page(page)) < MAX_HEAD_BYTES
    entries = host.services.reader.history(NS, "r", 0, 10_000)
    assert [entry.seq for entry in entries] == list(range(1, 4_001))
    assert entries[1_500].step == names[1_499]


def test_variables_named_like_our_references_are_variables(host: Host) -> None:
    sly: dict[str, Json] = {"\0spilled": "value/x", "\0folded": {"vr": {"\0spilled": "value/y"}}}
    host.start("f", big=sly)
    host.services.operator.set_vars(NS, "r", sly)
    assert (host.run().vars, host.run().input["big"]) == (sly, sly)


def test_a_run_with_an_offloaded_head_keeps_its_permit() -> None:
    """Permits are counted in all heads, offloaded or not."""
    host = Host(lambda request: Taken(None))
    host.submit(FLOW.replace("return = (OK);", "return = (OK); limit = (concurrent = 1);"))
    host.start("f", "one", big=1)
    host.settle()
    host.services.operator.set_vars(NS, "one", many(2 * MAX_HEAD_BYTES))
    host.start("f", "two", big=1)
    for _ in range(5):
        host.clock.advance(2_000)
        host.settle()
    assert [request["flowId"] for request in host.actions.requests] == ["one"]


def test_an_offloaded_head_of_a_newer_format_is_refused(host: Host) -> None:
    host.start("f", big=1)
    host.services.operator.set_vars(NS, "r", many(MAX_HEAD_BYTES))
    stored = host.store.runs.load(NS, "r")
    assert stored is not None
    (entry,) = stored.tail
    newer = replace(entry, data={**entry.data, formats.MEMBER: 99})
    host.store.runs.save(
        replace(stored, version=stored.version + 1, stored_tail=Entries.of((newer,))), seen=stored.version
    )
    with pytest.raises(formats.NewerFormat, match="cannot read a head of a flow_run of format 99"):
        host.run()
