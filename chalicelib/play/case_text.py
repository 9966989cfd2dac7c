"""A play as a test for `fsl test`.

The case is run on hosts like those of `fsl test` before it is given: what it expects is what it gives there, and a play
that it does not repeat is refused. Two runs with other random values show what may be expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.engine.steps.call import child_name
from chalicelib.engine.values.secret_values import MASK, holds_secret, is_encrypted
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.hosting.wiring import Services
from chalicelib.model import status, times
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json, same
from chalicelib.model.run import Run
from chalicelib.model.times import format_elapsed
from chalicelib.play.case import Case, NoTest, case_of
from chalicelib.play.case_run import CaseScript, run_case
from chalicelib.play.play_host import borrow, secrets_of
from chalicelib.play.session import Play, Played, play
from chalicelib.play.yaml_text import yaml_text
from chalicelib.service.errors import NotFound

MAX_CASE_CHARACTERS: Final = 1_000_000
"""`fsl test` reads no larger file."""

LIMIT_MS: Final = 400 * 86_400_000
"""A test whose run has not ended by then fails, unless it says otherwise."""

MAX_CALLED: Final = 20
"""How many runs a recorded run may have called, each of which is replayed for its test."""

_NAME: Final = "test"
_OTHER_DRAWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Result:
    run: Run
    history: tuple[Entry, ...]


def case_text(lender: Services, namespace: str, wanted: Play, *, name: str = "", programs: Sequence[str] = ()) -> str:
    """Return a test file with one case, in YAML. `programs` are the FSL files; empty: the one beside the test file.

    Raises what `play` raises, and NoTest.
    """
    first: NoTest | None = None
    for is_spread in (False, True):
        played = play(lender, namespace, wanted, is_spread=is_spread)
        try:
            return _text_of(lender, namespace, wanted, played, name, programs)
        except NoTest as problem:
            first = first or problem
    raise first or NoTest("the play cannot be repeated")


def _text_of(lender: Services, namespace: str, wanted: Play, played: Played, name: str, programs: Sequence[str]) -> str:
    flow = played.run.definition.flow
    if not flow:
        raise NoTest("the run has steps of its own, and a test starts a run of a flow")
    called = _called(lender, namespace, played) if wanted.run else ()
    deliveries = sorted((one for each in (played, *called) for one in each.deliveries), key=lambda one: one.at)
    log = sorted((one for each in (played, *called) for one in each.log), key=lambda one: one.at)
    case = case_of(played.started_at, deliveries, log, played.run.name)
    given = _plain(played.run.input) if wanted.run else wanted.input
    results = [_run(lender, namespace, wanted, played, case, given, skip) for skip in (0, _OTHER_DRAWS)]
    text = yaml_text(_file(wanted, played, case, given, results, name, programs))
    if len(text) > MAX_CASE_CHARACTERS:
        raise NoTest(f"the test would have {len(text)} characters; {MAX_CASE_CHARACTERS} are the limit")
    return text


def _called(lender: Services, namespace: str, played: Played) -> list[Played]:
    """Replay the runs that a recorded run called and started, and that have ended: a test runs them, too."""
    names = [
        child_name(played.run, entry.step, entry.uuid) if entry.event == "ChildEnded" else entry.data["name"]
        for entry in played.history
        if entry.event in ("ChildEnded", "FlowStarted")
    ]
    if len(names) > MAX_CALLED:
        raise NoTest(f"run {played.run.name!r} called {len(names)} runs; {MAX_CALLED} are the limit of a test")
    found: list[Played] = []
    for name in names:
        try:
            child = play(lender, namespace, Play(run=name))
        except NotFound as missing:
            raise NoTest(f"the run {name!r}, which was called or started, is not stored") from missing
        found += (child, *_called(lender, namespace, child))
    return found


def _run(lender: Services, namespace: str, wanted: Play, played: Played, case: Case, given: Json, skip: int) -> _Result:
    """Run the case. `skip`: how many random values are left out first. Raises NoTest."""
    script = CaseScript(case)
    host = ScriptedHost(script, start=played.started_at)
    borrow(host, lender, namespace, played.pinned)
    for _ in range(skip):
        host.services.adapters.ids.nonce()
    if wanted.text.strip():
        host.services.submitter.submit(host.namespace, wanted.text)
    names = secrets_of(played.definition) | wanted.secrets.keys()
    host.set_secrets({name: wanted.secrets.get(name, f"secret {name}") for name in sorted(names)})
    flow = played.run.definition.flow
    is_in_time = run_case(host, case, flow, given, _labels(wanted, played), _NAME, _until(played))
    result = _Result(host.head(_NAME), host.history(_NAME))
    _check(played, result)
    if script.unanswered:
        request = script.unanswered[0]
        raise NoTest(f"step {request.step!r} asks {request.name!r} in a test, and did not in the play")
    if host.refusals:
        after = format_elapsed(host.refusals[0].at - played.started_at)
        raise NoTest(f"after {after} a test would be refused: {host.refusals[0].reason}")
    if not is_in_time or (played.run.status in status.ENDED and result.run.status not in status.ENDED):
        raise NoTest("the run of a test would not come to its end")
    return result


def _labels(wanted: Play, played: Played) -> Mapping[str, Json]:
    """Return the labels with which the run is started; those of a recorded run that its flow does not give itself."""
    if not wanted.run:
        return wanted.labels
    return {name: value for name, value in played.run.labels.items() if name not in played.definition.flow.labels}


def _until(played: Played) -> int:
    """Return when the test looks at the run: if it has not ended, when the play has come so far."""
    if played.run.status not in status.ENDED:
        return played.now
    return max(played.started_at + LIMIT_MS, played.now)


def _check(played: Played, result: _Result) -> None:
    """Raise NoTest if the run of the test is another one than that of the play."""
    for number, entry in enumerate(played.history):
        again = result.history[number] if number < len(result.history) else None
        if again is None or _decision(again) != _decision(entry):
            raise NoTest(f"a test would differ from the play at entry {entry.seq}: step {entry.step!r}, {entry.event}")
    if len(result.history) > len(played.history):
        raise NoTest(f"in a test more would happen than in the play: {result.history[len(played.history)].event}")


def _decision(entry: Entry) -> tuple[str, ...]:
    state = entry.state if entry.target else ""  # that of a report means nothing
    return entry.event, entry.step, entry.target, state, entry.token


def _file(
    wanted: Play,
    played: Played,
    case: Case,
    given: Json,
    results: Sequence[_Result],
    name: str,
    programs: Sequence[str],
) -> dict[str, Json]:
    flow = played.run.definition.flow
    found: dict[str, Any] = {"name": name or f"{flow} {played.run.status}", "flow": flow}
    found["start"] = times.rfc3339(played.started_at)
    found["input"] = given
    labels = _labels(wanted, played)
    if labels:
        found["labels"] = labels
    if wanted.secrets:
        found["secrets"] = wanted.secrets
    found |= {where: _short(replies) for where, replies in case.replies.items() if replies}
    found |= {"events": case.events} if case.events else {}
    found |= {"orders": case.orders} if case.orders else {}
    elapsed = played.now - played.started_at
    if played.run.status not in status.ENDED:
        found["until"] = format_elapsed(elapsed)
    elif elapsed > LIMIT_MS:
        found["limit"] = format_elapsed(elapsed)
    found["expect"] = _expected(results)
    head: dict[str, Json] = {}
    if programs:
        head["program"] = programs[0] if len(programs) == 1 else list(programs)
    return {**head, "tests": [found]}


def _short(replies: Mapping[str, Sequence[Json]]) -> dict[str, Json]:
    """Return the replies, a single one without its list, and one that is only a state as that."""
    found: dict[str, Json] = {}
    for name, given in replies.items():
        short = [one["state"] if one.keys() == {"state"} else one for one in given]
        found[name] = short[0] if all(same(one, short[0]) for one in short) else short
    return found


def _expected(results: Sequence[_Result]) -> dict[str, Json]:
    """Return what every run of the test gives, whatever it draws at random."""
    run, other = results[0].run, results[1].run
    found: dict[str, Json] = {"status": str(run.status), "path": _path(results[0].history)}
    if run.status not in status.ENDED:
        found["at"] = sorted(token.step for token in run.tokens if token.activation)
    if run.error is not None:
        found["error"] = run.error.name
    if run.output is not None and same(run.output, other.output) and not holds_secret(run.output):
        found["output"] = run.output
    variables = {
        name: value
        for name, value in run.vars.items()
        if name in other.vars and same(value, other.vars[name]) and not holds_secret(value)
    }
    if variables:
        found["vars"] = variables
    took = [one.run.ended_at - one.run.created_at for one in results if one.run.ended_at is not None]
    if len(took) == len(results) and took[0] == took[1]:
        found["takes"] = format_elapsed(took[0])
    return found


def _path(history: Sequence[Entry]) -> list[Json]:
    """Return the steps that returned, each with its state, as tests have them."""
    left = (entry for entry in history if entry.target and entry.step and not entry.event.startswith("Run"))
    return [{entry.step: entry.state} if entry.state else entry.step for entry in left]


def _plain(value: Json) -> Json:
    """Return the value without what is encrypted in it."""
    if is_encrypted(value):
        return MASK
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
