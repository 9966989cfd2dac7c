"""Waits in heads as they are stored.

`heads_0_1_0.json` holds one head for each kind of wait, as commit afdc5f4 (version 0.1.0) wrote it to its store: waits
were plain maps then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib.model.run import decode_run, encode
from chalicelib.model.waits import (
    ApprovalWait,
    ChildWait,
    EachWait,
    EmitWait,
    EventWait,
    ForkWait,
    NoticeKind,
    NoticeWait,
    OffloadedWait,
    RepeatWait,
    StartWait,
    Wait,
    wait_from_json,
    wait_to_json,
)

HEADS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("heads_0_1_0.json").read_text())

WAITS: dict[str, Wait | None] = {
    "action": None,
    "approval": ApprovalWait(),
    "call": ChildWait(child="call.A.8e325c59", input={"big": "x"}),
    "offloaded": OffloadedWait({"\0spilled": "value/d07ac467071e0c86256ae46e357d193a"}),
    "event": EventWait(key="k-7"),
    "fork": ForkWait(results={"one": "a"}, failed=("two",)),
    "each": EachWait(
        id="7d543a71-2267-8f9e-a334-135280abf70e",
        count=5,
        next=4,
        again=(),
        finished=1,
        failed=(1,),
        results=((0, {"n": 1}),),
        stored_chunks=0,
    ),
}

NEWER: tuple[Wait, ...] = (
    RepeatWait(rule=1, state="FLAKY"),
    EmitWait(event="order.paid"),
    EmitWait(event="nudge", key="k", data={"n": 1, "out": 2}, to="o-1", ttl=1_000),
    StartWait(run="report-1", input={"key": "k"}, labels={"team": "lab"}),
    EventWait(key="k", leave={"id": 1}),
    NoticeWait(kind=NoticeKind.LEAVE),
    NoticeWait(kind=NoticeKind.ENTER, of="8e325c59", is_taken=True),
)
"""Waits that version 0.1.0 did not have."""


@pytest.mark.parametrize("name", HEADS)
def test_a_head_of_version_0_1_0_is_read_and_written_as_it_was(name: str) -> None:
    run = decode_run(json.dumps(HEADS[name]))
    activation = run.tokens[0].activation
    assert activation is not None
    assert activation.wait == WAITS[name]
    written = json.loads(encode(run))
    assert decode_run(encode(run)) == run
    assert run.last_event == HEADS[name].get("le", "")
    same = {**written, "tl": HEADS[name]["tl"], "le": HEADS[name]["le"]}  # these two are shorter since format 2
    assert same == {**HEADS[name], "f": 3}


def test_there_is_a_head_for_every_kind_of_wait() -> None:
    assert HEADS.keys() == WAITS.keys()
    known = {type(wait) for wait in (*WAITS.values(), *NEWER) if wait is not None}
    assert known == set(Wait.__subclasses__())


@pytest.mark.parametrize("wait", [wait for wait in (*WAITS.values(), *NEWER) if wait is not None])
def test_a_wait_is_its_json(wait: Wait) -> None:
    assert wait_from_json(json.loads(json.dumps(wait_to_json(wait)))) == wait


@pytest.mark.parametrize("value", [{}, {"approval": "closed"}, {"child": 7, "input": {}}, {"n": 5}, [], "key", 7, True])
def test_anything_else_is_no_wait(value: Any) -> None:
    head = {**HEADS["action"], "tk": [{"s": "A", "a": {"u": "u", "s": 1, "d": 2, "m": value}}]}
    with pytest.raises(msgspec.ValidationError):
        decode_run(json.dumps(head))
