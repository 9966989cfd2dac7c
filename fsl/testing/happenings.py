"""Compares what a test expects around its runs with what happened: calls, events, runs, notifications, notices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.hosting.responder import Kind, Request
from chalicelib.hosting.seen import Seen
from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds, format_elapsed
from fsl.testing.case_run import CaseRun
from fsl.testing.differences import Failure, differs, first_missing
from fsl.testing.expectations import NAMED_BY, Expect, given
from fsl.testing.parts import Part, is_in
from fsl.testing.script import holds


def check_happenings(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    """Yield every expectation that is not met by what the run did; by what all runs did, if the test is about them."""
    requests = [one for one in run.requests if one.kind is not Kind.APPROVAL]
    yield from _calls(requests, expect)
    yield from _times(run, requests, expect)
    yield from _order(requests, expect)
    yield from _most(run, expect)
    for what, name in NAMED_BY.items():
        wanted = getattr(expect, what)
        if wanted is not None:
            seen = _started(run) if what == "started" else getattr(run.host, what)
            yield from _seen(run, what, name, wanted, [one for one in seen if run.is_about(one.run)])


def _calls(requests: Sequence[Request], expect: Expect) -> Iterator[Failure]:
    for name, wanted in expect.calls.items():
        got = [call.args for call in requests if call.name == name]
        if isinstance(wanted, int):
            if wanted != len(got):
                yield Failure(f"calls of {name}", f"expected {wanted}, got {len(got)}")
        elif not holds(wanted, got):
            yield differs(f"calls of {name}", wanted, got)


def _times(run: CaseRun, requests: Sequence[Request], expect: Expect) -> Iterator[Failure]:
    for name, wanted in expect.call_times.items():
        got = [call.at - run.began_at for call in requests if call.name == name]
        if len(wanted) != len(got) or not all(map(is_in, got, wanted)):
            yield differs(f"call_times of {name}", wanted, [_spelled(at, wanted, n) for n, at in enumerate(got)])


def _spelled(at: Milliseconds, wanted: Sequence[str], n: int) -> str:
    """Return the time; as it is expected, if it is."""
    return wanted[n] if n < len(wanted) and is_in(at, wanted[n]) else format_elapsed(at)


def _order(requests: Sequence[Request], expect: Expect) -> Iterator[Failure]:
    missing = first_missing(expect.order, requests, _is_call)
    if missing is not None:
        names = {one if isinstance(one, str) else next(iter(one)) for one in expect.order}
        got = ", ".join(one.name for one in requests if one.name in names)
        shown = missing if isinstance(missing, str) else f"a call of {missing!r}"
        yield Failure("order", f"{shown} is missing in this order; it was {got or 'none of them'}")


def _is_call(expected: str | dict[str, dict[str, Any]], got: Request) -> bool:
    if isinstance(expected, str):
        return expected == got.name
    return all(name == got.name and holds(args, got.args) for name, args in expected.items())


def _most(run: CaseRun, expect: Expect) -> Iterator[Failure]:
    for name, wanted in expect.most.items():
        if run.most.get(name, 0) != wanted:
            yield Failure(f"most of {name}", f"expected {wanted} at once, got {run.most.get(name, 0)}")


def _started(run: CaseRun) -> list[Seen]:
    """Return the runs that `start` steps started, in order, as they are now."""
    return [replace(one, fields=_described(run, one.fields["name"])) for one in run.host.started]


def _described(run: CaseRun, name: str) -> dict[str, Json]:
    head, decrypt = run.host.head(name), run.host.decrypt
    return {
        "name": name,
        "flow": head.definition.flow,
        "input": decrypt(head, head.input),
        "labels": head.labels,
        "status": str(head.status),
        "output": decrypt(head, head.output),
    }


def _seen(run: CaseRun, what: str, name: str, wanted: Sequence[str | Part], seen: Sequence[Seen]) -> Iterator[Failure]:
    spelled = [one if isinstance(one, str) else given(one) for one in wanted]
    if len(wanted) == len(seen) and all(_fits(run, name, *pair) for pair in zip(spelled, seen, strict=True)):
        return
    shown = {field for one in spelled if isinstance(one, dict) for field in one} | {name}
    got = [
        spelled[n] if n < len(spelled) and _fits(run, name, spelled[n], one) else _shown(run, one, name, shown)
        for n, one in enumerate(seen)
    ]
    yield differs(what, spelled, got)


def _fits(run: CaseRun, name: str, expected: str | dict[str, Json], got: Seen) -> bool:
    if isinstance(expected, str):
        return bool(expected == got.fields[name])
    wanted = dict(expected)
    at = wanted.pop("at", None)
    return (at is None or is_in(got.at - run.began_at, at)) and holds(wanted, {**got.fields, "run": got.run})


def _shown(run: CaseRun, one: Seen, name: str, fields: set[str]) -> Json:
    """Return those fields of what happened; only its name, if that is all."""
    if fields == {name}:
        return one.fields[name]
    known: Mapping[str, Json] = {**one.fields, "run": one.run, "at": format_elapsed(one.at - run.began_at)}
    return {field: known[field] for field in sorted(fields) if field in known}
