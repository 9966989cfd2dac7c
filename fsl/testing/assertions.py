"""What a test expects, against what came of its run."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from chalicelib.engine import expressions
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from fsl.testing.cases import Contains, Expect, span
from fsl.testing.outside import Kind
from fsl.testing.script import holds, same
from fsl.testing.trial import Ran
from fsl.testing.units import elapsed
from fsl.transition_text import fields_of

SHORT: Final = 90
"""Up to how many characters two values are told in one line."""

_W = TypeVar("_W")
_G = TypeVar("_G")


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is not as expected: in a line, and where values differ, line by line."""

    what: str
    message: str
    difference: tuple[str, ...] = field(default=())


def judge(ran: Ran, expect: Expect) -> list[Failure]:
    """Everything that is not as it should be; nothing, if the test passes."""
    found = [Failure("ends", ran.cut)] if ran.cut else []
    found += _world(ran)
    found += _state(ran, expect)
    found += _path(ran, expect)
    found += _values(ran, expect)
    found += _calls(ran, expect)
    found += _history(ran, expect.history)
    found += _time(ran, expect)
    found += _asserts(ran, [expect.checks] if isinstance(expect.checks, str) else expect.checks)
    return found


def _world(ran: Ran) -> Iterator[Failure]:
    """What the test says of the outside must be enough, and must be taken."""
    told = {Kind.TASK: "waits for a person", Kind.APPROVAL: "waits for a person's approval"}
    for request in {(one.step, one.name): one for one in ran.script.unanswered}.values():
        does = told.get(request.kind, f"sends {request.name!r}")
        where = "approvals" if request.kind is Kind.APPROVAL else "actions"
        hint = f"say it under `{where}: {{{request.name}: ...}}` or by step"
        yield Failure("unanswered", f"step {request.step!r} {does}, and the test says no answer; {hint}")
    for refusal in ran.world.refusals:
        yield Failure("refused", f"after {elapsed(refusal.at - ran.began)}: {refusal.why}")


def _state(ran: Ran, expect: Expect) -> Iterator[Failure]:
    if expect.status is not None and ran.head.status is not expect.status:
        why = f" ({ran.head.last_err})" if ran.head.last_err else ""
        yield Failure("status", f"expected {expect.status}, got {ran.head.status}{why}")
    if expect.last_err is not None and not re.search(expect.last_err, ran.head.last_err):
        yield Failure("last_err", f"expected something like {expect.last_err!r}, got {ran.head.last_err!r}")
    if expect.at is not None:
        wanted = [expect.at] if isinstance(expect.at, str) else expect.at
        if sorted(wanted) != sorted(ran.stands_at):
            yield _differs("at", sorted(wanted), sorted(ran.stands_at))


def _path(ran: Ran, expect: Expect) -> Iterator[Failure]:
    path = ran.path
    if isinstance(expect.path, Contains):
        missing = _first_missing(expect.path.contains, path, _is_step)
        if missing is not None:
            yield Failure(
                "path", f"{_spelt(missing)} is not there in that order; it was {', '.join(map(_spelt, path))}"
            )
    elif expect.path is not None:
        fits = len(expect.path) == len(path) and all(map(_is_step, expect.path, path))
        if not fits:
            states = any(not isinstance(one, str) for one in expect.path)
            got = [_spelt(one) if states else one[0] for one in path]
            yield _differs("path", [_spelt(one) for one in expect.path], got)
    if expect.undone is not None and expect.undone != ran.undone:
        yield _differs("undone", expect.undone, ran.undone)


def _is_step(expected: str | dict[str, str], got: tuple[str, str]) -> bool:
    return expected == got[0] if isinstance(expected, str) else expected == {got[0]: got[1]}


def _spelt(step: str | dict[str, str] | tuple[str, str]) -> str:
    if isinstance(step, str):
        return step
    name, state = step if isinstance(step, tuple) else next(iter(step.items()))
    return f"{name}: {state}" if state else name


def _values(ran: Ran, expect: Expect) -> Iterator[Failure]:
    if expect.output is not msgspec.UNSET and not same(expect.output, ran.head.output):
        yield _differs("output", expect.output, ran.head.output)
    for what, wanted, got in (("vars", expect.vars, ran.head.vars), ("labels", expect.labels, ran.head.labels)):
        if not holds(wanted, got):
            yield _differs(what, wanted, {name: got[name] for name in wanted if name in got})


def _calls(ran: Ran, expect: Expect) -> Iterator[Failure]:
    for name, wanted in expect.calls.items():
        got = [call.args for call in ran.world.calls if call.name == name and call.kind is not Kind.APPROVAL]
        if isinstance(wanted, int):
            if wanted != len(got):
                yield Failure(f"calls of {name}", f"expected {wanted}, got {len(got)}")
        elif not holds(wanted, got):
            yield _differs(f"calls of {name}", wanted, got)


def _history(ran: Ran, wanted: Sequence[str | dict[str, Json]]) -> Iterator[Failure]:
    missing = _first_missing(wanted, ran.history, _is_entry)
    if missing is not None:
        yield Failure("history", f"{missing!r} is not there in that order")


def _is_entry(expected: str | dict[str, Json], entry: Entry) -> bool:
    if isinstance(expected, str):
        return expected == entry.event
    return holds(expected, {**fields_of(entry), "data": entry.data, "by": entry.by, "vars": entry.vars})


def _first_missing(wanted: Iterable[_W], got: Iterable[_G], fits: Callable[[_W, _G], bool]) -> _W | None:
    """The first of those wanted that is not there behind the ones before it; None if all are."""
    rest = iter(got)
    return next((one for one in wanted if not any(fits(one, other) for other in rest)), None)


def _time(ran: Ran, expect: Expect) -> Iterator[Failure]:
    if expect.takes is not None and ran.took != span(expect.takes):
        yield Failure("takes", f"expected {expect.takes}, got {elapsed(ran.took)}")
    if expect.within is not None and ran.took > span(expect.within):
        yield Failure("within", f"expected at most {expect.within}, got {elapsed(ran.took)}")


def _asserts(ran: Ran, sources: Iterable[str]) -> Iterator[Failure]:
    for source in sources:
        try:
            value = expressions.evaluate(source, names(ran))
        except ExpressionFailed as failure:
            yield Failure("assert", f"{source.strip()}: {failure}")
        else:
            if value is not True:
                yield Failure("assert", f"{source.strip()} is {json.dumps(value, ensure_ascii=False)}, not true")


def names(ran: Ran) -> dict[str, Json]:
    """What an assertion may speak of."""
    head = ran.head
    calls: dict[str, list[Json]] = {}
    for call in ran.world.calls:
        calls.setdefault(call.name, []).append(call.args)
    run = {
        "name": head.name,
        "status": str(head.status),
        "labels": head.labels,
        "path": [step for step, _ in ran.path],
        "undone": ran.undone,
        "calls": calls,
        "history": [{**fields_of(entry), "data": entry.data, "by": entry.by} for entry in ran.history],
        "took": ran.took,
    }
    return {"input": head.input, "vars": head.vars, "result": head.output, "error": head.last_err, "run": run}


def _differs(what: str, expected: Json, got: Json) -> Failure:
    """In one line where both are short; else line by line: `-` was expected, `+` came instead."""
    before, after = (json.dumps(value, ensure_ascii=False) for value in (expected, got))
    if len(before) + len(after) <= SHORT:
        return Failure(what, f"expected {before}, got {after}")
    compared = difflib.ndiff(_lines(expected), _lines(got))
    difference = [line.rstrip() for line in compared if not line.startswith("?")]
    return Failure(what, "is not as expected (- expected, + got)", tuple(difference))


def _lines(value: Json) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
