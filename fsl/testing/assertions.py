"""Compares what a test expects with what became of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from chalicelib import expressions
from chalicelib.hosting.responder import Kind
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.times import format_elapsed
from fsl.testing.case_run import CaseRun
from fsl.testing.cases import Case, OtherRun
from fsl.testing.differences import Failure, differs, first_missing
from fsl.testing.expectations import Contains, ErrorFields, Expect, given
from fsl.testing.happenings import check_happenings
from fsl.testing.parts import span
from fsl.testing.script import holds, same
from fsl.transition_text import fields_of

STARTED: Final = "started"
"""The outcome of a slot that is expected where the test names only its time."""


def check(run: CaseRun, case: Case) -> list[Failure]:
    """Return every expectation that the test's runs do not meet; empty if the test passes."""
    expect = case.wanted
    found = [Failure("ends", run.cut_off)] if run.cut_off else []
    found += _surroundings(run)
    found += check_happenings(run, expect) if case.runs else _of_run(run, expect)
    found += _slots(run, expect)
    found += _asserts(run, expect)
    for one in case.runs:
        found += [replace(failure, what=f"{one.name}: {failure.what}") for failure in _of_one(run, one)]
    return found


def _of_one(test: CaseRun, one: OtherRun) -> Iterator[Failure]:
    """Check one of several runs."""
    why = test.refused.get(one.name)
    if why is not None:
        if one.refused is None:
            yield Failure("start", f"is refused: {why}")
        elif not re.search(one.refused, why):
            yield Failure("refused", f"expected a match of {one.refused!r}, got {why!r}")
        return
    run = next((run for run in test.runs if run.name == one.name), None)
    if one.refused is not None or run is None:
        yield Failure("start", "the run has started" if run else f"the test has ended before {one.at}")
        return
    if run.cut_off:
        yield Failure("ends", run.cut_off)
    yield from _of_run(run, one.expect)
    yield from _asserts(run, one.expect)


def _of_run(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    yield from _state(run, expect)
    yield from _path(run, expect)
    yield from _values(run, expect)
    yield from check_happenings(run, expect)
    yield from _history(run, expect.history)
    yield from _time(run, expect)


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
    yield from _error(run, expect)
    if expect.at is not None:
        wanted = [expect.at] if isinstance(expect.at, str) else expect.at
        if sorted(wanted) != sorted(run.waits_at):
            yield differs("at", sorted(wanted), sorted(run.waits_at))


def _error(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.error is msgspec.UNSET:
        return
    got = error_of(run)
    wanted = given(expect.error) if isinstance(expect.error, ErrorFields) else expect.error
    if isinstance(wanted, dict) and isinstance(got, dict):
        if not holds(wanted, got):
            yield differs("error", wanted, {name: got[name] for name in wanted})
    elif wanted != (got["name"] if got else None):
        yield differs("error", wanted, got["name"] if got else None)


def error_of(run: CaseRun) -> dict[str, Json] | None:
    """Return the error of the run, if it has one."""
    error = run.head.error
    return (
        run.host.decrypt(run.head, {name: getattr(error, name) for name in error.__struct_fields__}) if error else None
    )


def _path(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    path = run.path
    if isinstance(expect.path, Contains):
        missing = first_missing(expect.path.contains, path, _is_step)
        if missing is not None:
            yield Failure("path", f"{_spell(missing)} is missing in this order; it was {', '.join(map(_spell, path))}")
    elif expect.path is not None:
        fits = len(expect.path) == len(path) and all(map(_is_step, expect.path, path))
        if not fits:
            states = any(not isinstance(one, str) for one in expect.path)
            got = [_spell(one) if states else one[0] for one in path]
            yield differs("path", [_spell(one) for one in expect.path], got)
    if expect.undone is not None and expect.undone != run.undone:
        yield differs("undone", expect.undone, run.undone)


def _is_step(expected: str | dict[str, str], got: tuple[str, str]) -> bool:
    return expected == got[0] if isinstance(expected, str) else expected == {got[0]: got[1]}


def _spell(step: str | dict[str, str] | tuple[str, str]) -> str:
    if isinstance(step, str):
        return step
    name, state = step if isinstance(step, tuple) else next(iter(step.items()))
    return f"{name}: {state}" if state else name


def _values(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    if expect.output is not msgspec.UNSET and not same(expect.output, run.head.output):
        yield differs("output", expect.output, run.head.output)
    for what, wanted, got in (("vars", expect.vars, run.head.vars), ("labels", expect.labels, run.head.labels)):
        if not holds(wanted, got):
            yield differs(what, wanted, {name: got[name] for name in wanted if name in got})


def _history(run: CaseRun, wanted: Sequence[str | dict[str, Json]]) -> Iterator[Failure]:
    missing = first_missing(wanted, run.history, _is_entry)
    if missing is not None:
        yield Failure("history", f"{missing!r} is missing in this order")


def _is_entry(expected: str | dict[str, Json], entry: Entry) -> bool:
    if isinstance(expected, str):
        return expected == entry.event
    return holds(expected, {**fields_of(entry), "data": entry.data, "by": entry.by, "vars": entry.vars})


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
        yield differs("slots", wanted, got)


def _asserts(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    for source in [expect.checks] if isinstance(expect.checks, str) else expect.checks:
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
    head, runs = run.head, {one.name: _described(one) for one in run.runs}
    values = {"input": head.input, "vars": head.vars, "result": head.output, "error": head.last_err}
    return {**values, "run": {**_described(run), "runs": runs}}


def _described(run: CaseRun) -> Json:
    head = run.head
    calls: dict[str, list[Json]] = {}
    for call in run.requests:
        calls.setdefault(call.name, []).append(call.args)
    return {
        "name": head.name,
        "status": str(head.status),
        "labels": head.labels,
        "path": [step for step, _ in run.path],
        "undone": run.undone,
        "calls": calls,
        "history": [{**fields_of(entry), "data": entry.data, "by": entry.by} for entry in run.history],
        "took": run.duration,
        "error": error_of(run),
        "output": head.output,
        "vars": head.vars,
    }
