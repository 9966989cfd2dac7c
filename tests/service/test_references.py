"""Heads as they are stored: encoded once, with references in the place of large values."""

from __future__ import annotations

from threading import RLock
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.adapters.memory.runs import MemoryRuns
from chalicelib.model.history import Entries, Entry
from chalicelib.model.run import Activation, DefinitionRef, Run, Token, encode
from chalicelib.model.run_error import StepError
from chalicelib.model.waits import ForkWait
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.references import MAX_HEAD_BYTES, MAX_INLINE_BYTES, offload_head

SIZES = {"empty": 0, "small": 1, "medium": MAX_INLINE_BYTES // 20, "offloaded": MAX_HEAD_BYTES // 10}


def a_run(variables: int, **changes: Any) -> Run:
    """Return a head with that many variables of about 20 bytes each."""
    return Run(
        namespace="ns",
        name="r",
        id="2031f67a-043f-49c6-ac96-73125bc08243",
        definition=DefinitionRef(flow="f", version=1, actions={}),
        created_at=1,
        updated_at=1,
        vars={f"v{number}": "x" * 10 for number in range(variables)},
        stored_tail=Entries.of((Entry(seq=1, at=1, event="RunStarted"),)),
        **changes,
    )


class Bodies(MemoryRuns):
    """A run store that records the bodies that it receives."""

    def __init__(self) -> None:
        super().__init__(RLock())
        self.heads: list[tuple[Run, bytes]] = []

    def create(self, new: NewRun) -> None:
        self.heads.append((new.run, new.body))
        super().create(new)

    def save(self, run: Run, seen: int, body: bytes = b"") -> None:
        self.heads.append((run, body))
        super().save(run, seen, body)


@pytest.mark.parametrize("variables", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("large", ["", "y" * MAX_INLINE_BYTES], ids=["plain", "with a large value"])
def test_a_store_receives_the_json_of_the_head_that_it_stores(variables: int, large: str) -> None:
    bodies = Bodies()
    runs = OffloadingRunStore(bodies)
    first = a_run(variables, output=large)
    second = replace(first, version=2, updated_at=2)
    runs.create(NewRun(first))
    runs.save(second, 1)
    assert [body for _, body in bodies.heads] == [encode(stored) for stored, _ in bodies.heads]
    assert all(len(body) <= MAX_HEAD_BYTES for _, body in bodies.heads)
    assert runs.load("ns", "r") == second


def test_large_data_of_the_last_error_is_stored_outside_the_head() -> None:
    error = StepError("ExpressionFailed", "why", "A", "OK", None, {"text": "y" * MAX_INLINE_BYTES})
    bodies = Bodies()
    runs = OffloadingRunStore(bodies)
    first = replace(a_run(1), tokens=(Token(step="B", error=error),))
    runs.create(NewRun(first))
    assert len(bodies.heads[0][1]) < MAX_INLINE_BYTES
    assert runs.load("ns", "r") == first


@pytest.mark.parametrize("tokens", [1, 3_000])
@pytest.mark.parametrize("large", ["", "y" * MAX_INLINE_BYTES], ids=["plain", "with a large value"])
def test_interrupted_tokens_are_stored_however_large_they_are(tokens: int, large: str) -> None:
    wait = ForkWait(results={"a": large}, failed=("b",))
    activation = Activation(uuid="u", since=1, deadline=2, wait=wait)
    token = Token(id="0.0", parent="0", index=0, step="F", activation=activation, result=large)
    others = tuple(Token(id=f"0.0.{n}", parent="0.0", step="S", result={"n": n, "id": "x" * 40}) for n in range(tokens))
    bodies = Bodies()
    runs = OffloadingRunStore(bodies)
    first = a_run(1, interrupted=(token, *others))
    runs.create(NewRun(first))
    assert all(len(body) <= MAX_HEAD_BYTES for _, body in bodies.heads)
    assert runs.load("ns", "r") == first


def test_a_small_head_is_stored_as_it_is() -> None:
    run = a_run(1)
    head = offload_head(run)
    assert head.run is run
    assert (head.body, head.blobs) == (encode(run), {})


def test_a_known_body_is_used() -> None:
    run = a_run(1)
    body = encode(run)
    assert offload_head(run, body).body is body


def test_a_small_value_that_looks_like_a_reference_is_offloaded() -> None:
    reference = {"\0spilled": "value/0"}
    run = a_run(0, output=reference)
    head = offload_head(run)
    assert head.run.output != reference
    assert list(head.blobs.values()) == [b'{"\\u0000spilled":"value/0"}']
