"""Test files: found, read, checked against their programs, run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from chalicelib import expressions
from chalicelib.engine.errors import InputRefused
from chalicelib.engine.invocation import APPROVED, REJECTED
from chalicelib.engine.values.inputs import complete
from chalicelib.hosting.responder import first_state
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model import times
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.event_data import data_problems
from chalicelib.model.flow import BUILT_IN_STATES, Step, walk
from chalicelib.service.errors import Invalid
from chalicelib.service.ports.schedules import SlotOutcome
from fsl.testing.assertions import Failure, check
from fsl.testing.case_run import CaseRun, NoRun, run_case, start_of
from fsl.testing.cases import Case, Contains, Replies, TestFile, replies
from fsl.testing.coverage import Coverage
from fsl.testing.document import BadTest, Document
from fsl.testing.document import Path as Place
from fsl.testing.program import BadProgram, Program, read_program

SUFFIXES: Final = (".test.yaml", ".test.yml")
_SKIPPED_FOLDERS: Final = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", "build", "dist"})


@dataclass(frozen=True, slots=True)
class Result:
    """One executed test."""

    file: str
    line: int
    case: Case
    program: Program
    run: CaseRun
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        return not self.failures

    @property
    def id(self) -> str:
        return f"{self.file}::{self.case.name}"


def find(paths: Iterable[Path]) -> list[Path]:
    """Return the test files among the paths and below the folders among them. Raises FileNotFoundError."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.name.endswith(SUFFIXES))
            found |= dict.fromkeys(one for one in inside if not _SKIPPED_FOLDERS & set(one.relative_to(path).parts))
        elif path.exists():
            found[_test_of(path)] = None
        else:
            raise FileNotFoundError(f"{path} does not exist")
    return list(found)


def _test_of(path: Path) -> Path:
    """Return the file itself, or for a program the test file next to it."""
    if path.suffix != ".fsl":
        return path
    beside = [path.with_name(path.stem + suffix) for suffix in SUFFIXES]
    found = next((one for one in beside if one.exists()), None)
    if found is None:
        raise FileNotFoundError(f"{path} has no tests: {beside[0]} does not exist")
    return found


class Suite:
    """One test file with its program. Reading it raises BadTest, BadProgram, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as exc:
            raise BadTest(str(path), 1, 1, f"the file is not UTF-8: {exc.reason} at byte {exc.start}") from exc
        self._document = Document(str(path), text)
        self.tests = self._document.convert(TestFile)
        self.program = self._read_program()
        for place, message in self._problems():
            raise self._document.problem(place, message)

    @cached_property
    def program_files(self) -> list[Path]:
        given = self.tests.program
        if given is None:
            return [self.path.with_name(re.sub(r"\.test\.ya?ml$", ".fsl", self.path.name))]
        return [self.path.parent / one for one in ([given] if isinstance(given, str) else given)]

    def run(self, coverage: Coverage, wanted: str = "") -> Iterator[Result]:
        """Run the tests that have `wanted` in their name."""
        coverage.expect(self.program)
        for n, case in enumerate(self.tests.tests):
            if wanted.lower() in f"{self.path}::{case.name}".lower():
                try:
                    run = run_case(self.program, self.tests, case)
                except NoRun as exc:
                    raise self._document.problem(("tests", n, "schedule"), str(exc)) from exc
                coverage.note(self.program, run.host)
                line = self._document.problem(("tests", n), "").line
                yield Result(str(self.path), line, case, self.program, run, tuple(check(run, case.expect)))

    def _read_program(self) -> Program:
        try:
            return read_program(self.program_files)
        except FileNotFoundError as exc:
            raise self._document.problem(("program",), f"program {exc.filename} does not exist") from exc
        except BadProgram as exc:
            raise BadProgram(f"{self.path}: its program cannot be run\n{exc}") from exc

    # ── what the format does not check ────────────────────────────────────────────────────────────────────────────

    def _problems(self) -> Iterator[tuple[Place, str]]:
        known, host = _Known(self.program), ScriptedHost(first_state)
        yield from known.mocks((), self.tests)
        yield from _secrets((), self.tests, host)
        if times.instant(self.tests.start) is None:
            yield ("start",), "expected a time such as 2026-01-31T08:00:00Z"
        names: set[str] = set()
        for n, case in enumerate(self.tests.tests):
            at: Place = ("tests", n)
            if case.name in names:
                yield (*at, "name"), f"two tests have the name {case.name!r}"
            names.add(case.name)
            yield from known.mocks(at, case)
            yield from self._events(at, case)
            yield from _secrets(at, case, host)
            yield from self._start(at, case, host)
            yield from known.expectations((*at, "expect"), case)

    def _events(self, at: Place, case: Case) -> Iterator[tuple[Place, str]]:
        for n, signal in enumerate(case.events):
            event = self.program.events.get(signal.name)
            for path, problem in data_problems(event, signal.data).items() if event else ():
                yield (*at, "events", n), f"{path} {problem}"

    def _start(self, at: Place, case: Case, host: ScriptedHost) -> Iterator[tuple[Place, str]]:
        if case.start is not None and times.instant(case.start) is None:
            yield (*at, "start"), "expected a time such as 2026-01-31T08:00:00Z"
        if case.schedule is not None:
            yield from self._schedule(at, case, case.schedule)
            return
        if case.expect.slots is not None:
            yield (*at, "expect", "slots"), "only a test of a `schedule` has slots"
        try:
            flow, given, _, _ = start_of(self.program, self.tests, case)
            complete(self.program.definitions[flow].flow, given, host.services.secrets.cipher(host.namespace))
        except KeyError as exc:
            known = ", ".join(self.program.definitions)
            yield (*at, "run" if case.run else "flow"), f"the program has no {exc.args[0]!r}; it has {known}"
        except LookupError as exc:
            yield at, str(exc)
        except InputRefused as refusal:
            yield (*at, "input"), str(refusal)

    def _schedule(self, at: Place, case: Case, name: str) -> Iterator[tuple[Place, str]]:
        if name not in self.program.schedules:
            yield (*at, "schedule"), _unknown("schedule", name, self.program.schedules)
        if case.until is None:
            yield (*at, "schedule"), "a test of a schedule needs `until`: how long it starts runs"
        for field in ("flow", "run", "input", "labels", "orders"):
            if getattr(case, field):
                yield (*at, field), f"a test of a schedule has no `{field}`"
        for one in case.expect.slots or []:
            for slot, outcome in ({one: SlotOutcome.STARTED} if isinstance(one, str) else one).items():
                if times.instant(slot) is None:
                    yield (*at, "expect", "slots"), f"expected a time such as 2026-01-31T08:00:00Z, found {slot!r}"
                if outcome not in list(SlotOutcome):
                    yield (*at, "expect", "slots"), _unknown("outcome", outcome, SlotOutcome)


class _Known:
    """The names that a test can refer to."""

    def __init__(self, program: Program) -> None:
        self._definitions: Sequence[Definition] = tuple(program.definitions.values())
        self._actions = {name: one for made in self._definitions for name, one in made.actions.items()}
        self._flows = set(program.definitions)
        self._configs = {name for made in self._definitions for name in made.config}
        self._steps: dict[str, list[Step]] = {}
        """The steps by their names, and by those of their flows and theirs (`flow.Step`)."""
        for flow, made in program.definitions.items():
            for step in walk(made.flow.steps):
                self._steps.setdefault(step.name, []).append(step)
                self._steps.setdefault(f"{flow}.{step.name}", []).append(step)

    def mocks(self, at: Place, given: TestFile | Case) -> Iterator[tuple[Place, str]]:
        for name, action in given.actions.items():
            known = self._actions.get(name)
            if known is None:
                yield (*at, "actions", name), _unknown("action", name, self._actions)
            else:
                yield from _states((*at, "actions", name), action, {*known.returns, *BUILT_IN_STATES})
                yield from _fits((*at, "actions", name), action, [known])
        for name, step in given.steps.items():
            if name not in self._steps:
                yield (*at, "steps", name), _unknown("step", name, self._steps)
            else:
                sent = [self._actions.get(getattr(one, "action", "")) for one in self._steps[name]]
                returns = {state for action in sent if action for state in (*action.returns, *BUILT_IN_STATES)}
                yield from _states((*at, "steps", name), step, returns)
                yield from _fits((*at, "steps", name), step, [action for action in sent if action])
        for name, approval in given.approvals.items():
            if name not in self._actions and name not in self._steps:
                yield (*at, "approvals", name), _unknown("action or step", name, [*self._actions, *self._steps])
            yield from _states((*at, "approvals", name), approval, {APPROVED, REJECTED})
        for name in given.flows.keys() - self._flows:
            yield (*at, "flows", name), _unknown("flow", name, self._flows)
        for name in given.config.keys() - self._configs:
            yield (*at, "config", name), _unknown("config that a flow reads", name, self._configs)

    def expectations(self, at: Place, case: Case) -> Iterator[tuple[Place, str]]:
        expect = case.expect
        wanted = expect.path.contains if isinstance(expect.path, Contains) else expect.path or []
        named = [("path", one if isinstance(one, str) else next(iter(one), "")) for one in wanted]
        named += [("at", one) for one in ([expect.at] if isinstance(expect.at, str) else expect.at or [])]
        named += [("undone", one) for one in expect.undone or []]
        for what, name in named:
            if name not in self._steps:
                yield (*at, what), _unknown("step", name, self._steps)
        for name in expect.calls.keys() - self._actions.keys() - self._flows:
            yield (*at, "calls", name), _unknown("action or flow", name, [*self._actions, *self._flows])
        if expect.last_err is not None:
            try:
                re.compile(expect.last_err)
            except re.error as exc:
                yield (*at, "last_err"), f"not a regular expression: {exc}"
        for source in [expect.checks] if isinstance(expect.checks, str) else expect.checks:
            problem = expressions.problem_in(source)
            if problem:
                yield (*at, "assert"), f"not valid JSONata: {problem[1]} (at character {problem[0] + 1})"


def _states(at: Place, given: Replies, known: set[str]) -> Iterator[tuple[Place, str]]:
    for one in replies(given):
        given_ways = [name for name in ("state", "fail", "status") if getattr(one, name) is not None]
        if not given_ways and not (one.progress or one.body is not None or one.headers):
            yield at, "a reply must have `state`, `fail` or `status`"
        if len(given_ways) > 1:
            yield at, f"a reply has either `{given_ways[0]}` or `{given_ways[1]}`, not both"
        if one.state is not None and one.state not in known:
            yield at, _unknown("state", one.state, known)


def _fits(at: Place, given: Replies, actions: Sequence[Action]) -> Iterator[tuple[Place, str]]:
    """Find fields of replies that the kind of the actions does not have: by callback, or by the response."""
    if not actions:
        return
    only: tuple[str, ...] = ("status", "headers", "body")
    why = "answers by callback"
    if any(action.direct for action in actions):
        only, why = ("progress", "vars"), "answers with its response (callback = none)"
    if any(action.direct and not action.is_http for action in actions):
        only, why = ("progress", "vars", "status", "headers", "body"), "returns a value or an error"
    for one in replies(given):
        for name in only:
            if getattr(one, name):
                yield at, f"`{name}` has no effect: action {actions[0].name!r} {why}"


def _secrets(at: Place, given: TestFile | Case, host: ScriptedHost) -> Iterator[tuple[Place, str]]:
    for name, value in given.secrets.items():
        try:
            host.set_secrets({name: value})
        except Invalid as exc:
            yield (*at, "secrets", name), str(exc)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(names) or 'none'}"
    return f"the program has no {what} {name!r}{hint}"
