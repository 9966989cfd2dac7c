"""Compares what a test expects with what became of its run."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from chalicelib import expressions
from chalicelib.hosting.responder import Kind
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.times import format_elapsed
from fsl.testing.case_run import CaseRun
from fsl.testing.cases import Contains, Expect, span
from fsl.testing.script import holds, same
from fsl.transition_text import fields_of

MAX_LINE_CHARACTERS: Final = 90
"""Two values that are longer than this together are shown line by line."""

STARTED: Final = "started"
"""The outcome of a slot that is expected where the test names only its time."""

_W = TypeVar("_W")
_G = TypeVar("_G")


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that is not met: in one line, and for long values line by line."""

    what: str
    message: str
    difference: tuple[str, ...] = field(default=())


def check(run: CaseRun, expect: Expect) -> list[Failure]:
    """Return every expectation that the run does not meet; empty if the test passes."""
    found = [Failure("ends", run.cut_off)] if run.cut_off else []
    found += _surroundings(run)
    found += _state(run, expect)
    found += _path(run, expect)
    found += _values(run, expect)
    found += _calls(run, expect)
    found += _history(run, expect.history)
    found += _time(run, expect)
    found += _slots(run, expect)
    found += _asserts(run, [expect.checks] if isinstance(expect.checks, str) else expect.checks)
    return found


def _surroundings(run: CaseRun) -> Iterator[Failure]:
    """Every request must have a reply, and the run must accept everything that the test sends."""
    waits = {Kind.TASK: "waits for a person", Kind.APPROVAL: "waits for a person's approval"}
    for request in {(one.step, one.name): one for one in run.script.unanswered}.values():
        does = waits.get(request.kind, f"sends {request.name!r}")
        where = "approvals" if request.kind is Kind.APPROVAL else "actions"
        hint = f"add one under `{where}: {{{request.name}: ...}}`, or by step"
        yield Failure("unanswered", f"step {request.step!r} {does}, and the test has no answer; {hint}")
    for refusal in run.host.refusals:
        yield Failure("refused", f"after {format_elapsed(refusal.at - run.started_at)}: {refusal.reason}")


def _state(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.status is not None and run.head.status is not expect.status:
        why = f" ({run.head.last_err})" if run.head.last_err else ""
        yield Failure("status", f"expected {expect.status}, got {run.head.status}{why}")
    if expect.last_err is not None and not re.search(expect.last_err, run.head.last_err):
        yield Failure("last_err", f"expected a match of {expect.last_err!r}, got {run.head.last_err!r}")
    if expect.at is not None:
        wanted = [expect.at] if isinstance(expect.at, str) else expect.at
        if sorted(wanted) != sorted(run.waits_at):
            yield _differs("at", sorted(wanted), sorted(run.waits_at))


def _path(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    path = run.path
    if isinstance(expect.path, Contains):
        missing = _first_missing(expect.path.contains, path, _is_step)
        if missing is not None:
            yield Failure("path", f"{_spell(missing)} is missing in this order; it was {', '.join(map(_spell, path))}")
    elif expect.path is not None:
        fits = len(expect.path) == len(path) and all(map(_is_step, expect.path, path))
        if not fits:
            states = any(not isinstance(one, str) for one in expect.path)
            got = [_spell(one) if states else one[0] for one in path]
            yield _differs("path", [_spell(one) for one in expect.path], got)
    if expect.undone is not None and expect.undone != run.undone:
        yield _differs("undone", expect.undone, run.undone)


def _is_step(expected: str | dict[str, str], got: tuple[str, str]) -> bool:
    return expected == got[0] if isinstance(expected, str) else expected == {got[0]: got[1]}


def _spell(step: str | dict[str, str] | tuple[str, str]) -> str:
    if isinstance(step, str):
        return step
    name, state = step if isinstance(step, tuple) else next(iter(step.items()))
    return f"{name}: {state}" if state else name


def _values(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.output is not msgspec.UNSET and not same(expect.output, run.head.output):
        yield _differs("output", expect.output, run.head.output)
    for what, wanted, got in (("vars", expect.vars, run.head.vars), ("labels", expect.labels, run.head.labels)):
        if not holds(wanted, got):
            yield _differs(what, wanted, {name: got[name] for name in wanted if name in got})


def _calls(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    for name, wanted in expect.calls.items():
        got = [call.args for call in run.host.requests if call.name == name and call.kind is not Kind.APPROVAL]
        if isinstance(wanted, int):
            if wanted != len(got):
                yield Failure(f"calls of {name}", f"expected {wanted}, got {len(got)}")
        elif not holds(wanted, got):
            yield _differs(f"calls of {name}", wanted, got)


def _history(run: CaseRun, wanted: Sequence[str | dict[str, Json]]) -> Iterator[Failure]:
    missing = _first_missing(wanted, run.history, _is_entry)
    if missing is not None:
        yield Failure("history", f"{missing!r} is missing in this order")


def _is_entry(expected: str | dict[str, Json], entry: Entry) -> bool:
    if isinstance(expected, str):
        return expected == entry.event
    return holds(expected, {**fields_of(entry), "data": entry.data, "by": entry.by, "vars": entry.vars})


def _first_missing(wanted: Iterable[_W], got: Iterable[_G], fits: Callable[[_W, _G], bool]) -> _W | None:
    """Return the first of `wanted` that does not follow the ones before it; None if all do."""
    rest = iter(got)
    return next((one for one in wanted if not any(fits(one, other) for other in rest)), None)


def _time(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.takes is not None and run.duration != span(expect.takes):
        yield Failure("takes", f"expected {expect.takes}, got {format_elapsed(run.duration)}")
    if expect.within is not None and run.duration > span(expect.within):
        yield Failure("within", f"expected at most {expect.within}, got {format_elapsed(run.duration)}")


def _slots(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.slots is None:
        return
    wanted = [{one: STARTED} if isinstance(one, str) else one for one in expect.slots]
    got = [{time: outcome} for time, outcome in run.slots]
    if wanted != got:
        yield _differs("slots", wanted, got)


def _asserts(run: CaseRun, sources: Iterable[str]) -> Iterator[Failure]:
    for source in sources:
        try:
            value = expressions.evaluate(source, names_for(run), expressions.Draw())
        except expressions.ExpressionFailed as failure:
            yield Failure("assert", f"{source.strip()}: {failure}")
        else:
            if value is not True:
                shown = "nothing" if value is expressions.NOTHING else json.dumps(value, ensure_ascii=False)
                yield Failure("assert", f"{source.strip()} is {shown}, not true")


def names_for(run: CaseRun) -> dict[str, Json]:
    """Return the names that an assertion can use."""
    head = run.head
    calls: dict[str, list[Json]] = {}
    for call in run.host.requests:
        calls.setdefault(call.name, []).append(call.args)
    described = {
        "name": head.name,
        "status": str(head.status),
        "labels": head.labels,
        "path": [step for step, _ in run.path],
        "undone": run.undone,
        "calls": calls,
        "history": [{**fields_of(entry), "data": entry.data, "by": entry.by} for entry in run.history],
        "took": run.duration,
    }
    return {"input": head.input, "vars": head.vars, "result": head.output, "error": head.last_err, "run": described}


def _differs(what: str, expected: Json, got: Json) -> Failure:
    """Describe two values: in one line if they are short, else line by line (`-` expected, `+` got)."""
    before, after = (json.dumps(value, ensure_ascii=False) for value in (expected, got))
    if len(before) + len(after) <= MAX_LINE_CHARACTERS:
        return Failure(what, f"expected {before}, got {after}")
    compared = difflib.ndiff(_lines(expected), _lines(got))
    difference = [line.rstrip() for line in compared if not line.startswith("?")]
    return Failure(what, "is not as expected (- expected, + got)", tuple(difference))


def _lines(value: Json) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()
