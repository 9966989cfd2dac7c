"""Test files: found, read, checked against their programs, run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from chalicelib.engine.errors import InputRefused
from chalicelib.engine.values.inputs import complete
from chalicelib.hosting.responder import first_state
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.model import times
from chalicelib.model.event_data import data_problems
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Invalid
from chalicelib.service.ports.schedules import SlotOutcome
from fsl.testing.assertions import check
from fsl.testing.case_run import CaseRun
from fsl.testing.cases import Case, TestFile
from fsl.testing.coverage import Coverage
from fsl.testing.differences import Failure
from fsl.testing.document import BadTest, Document
from fsl.testing.document import Path as Place
from fsl.testing.execute import NoRun, flow_of, run_case, start_of
from fsl.testing.expectations import OF_ONE_RUN, OF_THE_TEST, Expect, set_fields
from fsl.testing.known_names import KnownNames, pattern_problems, unknown
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
                    raise self._document.problem(("tests", n, exc.field), str(exc)) from exc
                coverage.note(self.program, run.host)
                line = self._document.problem(("tests", n), "").line
                yield Result(str(self.path), line, case, self.program, run, tuple(check(run, case)))

    def _read_program(self) -> Program:
        try:
            return read_program(self.program_files)
        except FileNotFoundError as exc:
            raise self._document.problem(("program",), f"program {exc.filename} does not exist") from exc
        except BadProgram as exc:
            raise BadProgram(f"{self.path}: its program cannot be run\n{exc}") from exc

    # ── what the format does not check ────────────────────────────────────────────────────────────────────────────

    def _problems(self) -> Iterator[tuple[Place, str]]:
        known, host = KnownNames(self.program), ScriptedHost(first_state)
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
            if not isinstance(case.expect, Expect) and not case.runs:
                yield at, "the field `expect` is missing"
            yield from known.mocks(at, case)
            yield from self._events(at, case)
            yield from _secrets(at, case, host)
            yield from self._start(at, case, host)
            yield from self._expectations(at, case, known)

    def _events(self, at: Place, case: Case) -> Iterator[tuple[Place, str]]:
        for n, signal in enumerate(case.events):
            event = self.program.events.get(signal.name)
            for path, problem in data_problems(event, signal.data).items() if event else ():
                yield (*at, "events", n), f"{path} {problem}"

    def _expectations(self, at: Place, case: Case, known: KnownNames) -> Iterator[tuple[Place, str]]:
        yield from known.expectations((*at, "expect"), case.wanted)
        if case.schedule is None and case.wanted.slots is not None:
            yield (*at, "expect", "slots"), "only a test of a `schedule` has slots"
        for name in set_fields(case.wanted, OF_ONE_RUN) if case.runs else ():
            yield (*at, "expect", name), f"`{name}` is expected of each of the `runs`: write it in the run's `expect`"
        for n, run in enumerate(case.runs):
            place: Place = (*at, "runs", n, "expect")
            yield from known.expectations(place, run.expect)
            for name in set_fields(run.expect, OF_THE_TEST):
                yield (*place, name), f"`{name}` is expected of the whole test: write it in the test's `expect`"

    def _runs(self, at: Place, case: Case, host: ScriptedHost) -> Iterator[tuple[Place, str]]:
        """Check the runs of a test that has several."""
        for field in ("run", "input", "labels"):
            if getattr(case, field):
                yield (*at, field), f"a test with `runs` has no `{field}`: each of them has its own"
        names: set[str] = set()
        for n, run in enumerate(case.runs):
            place: Place = (*at, "runs", n)
            if run.name in names:
                yield (*place, "name"), f"two runs have the name {run.name!r}"
            names.add(run.name)
            if run.refused is not None:
                yield from pattern_problems((*place, "refused"), run.refused)
                if set_fields(run.expect):
                    yield (*place, "expect"), "a run that is refused has nothing else to expect"
            try:
                flow = flow_of(self.program, self.tests, case, run)
            except LookupError as exc:
                yield place, str(exc)
                continue
            for name, problem in self._flow_problems(flow, run.input, host):
                if name == "flow" or run.refused is None:
                    yield (*place, name), problem

    def _start(self, at: Place, case: Case, host: ScriptedHost) -> Iterator[tuple[Place, str]]:
        if case.start is not None and times.instant(case.start) is None:
            yield (*at, "start"), "expected a time such as 2026-01-31T08:00:00Z"
        if case.schedule is not None:
            yield from self._schedule(at, case, case.schedule)
            return
        if case.runs:
            yield from self._runs(at, case, host)
            return
        try:
            flow, given, _, _ = start_of(self.program, self.tests, case)
        except LookupError as exc:
            yield at, str(exc)
            return
        for name, problem in self._flow_problems(flow, given, host):
            yield (*at, "run" if name == "flow" and case.run else name), problem

    def _flow_problems(self, flow: str, given: Json, host: ScriptedHost) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a flow and its input, and which of the two it is."""
        if flow not in self.program.definitions:
            yield "flow", f"the program has no {flow!r}; it has {', '.join(self.program.definitions)}"
            return
        try:
            complete(self.program.definitions[flow].flow, given, host.services.secrets.cipher_of_input(host.namespace))
        except InputRefused as refusal:
            yield "input", str(refusal)

    def _schedule(self, at: Place, case: Case, name: str) -> Iterator[tuple[Place, str]]:
        if name not in self.program.schedules:
            yield (*at, "schedule"), unknown("schedule", name, self.program.schedules)
        if case.until is None:
            yield (*at, "schedule"), "a test of a schedule needs `until`: how long it starts runs"
        for field in ("flow", "run", "input", "labels", "orders", "runs"):
            if getattr(case, field):
                yield (*at, field), f"a test of a schedule has no `{field}`"
        for one in case.wanted.slots or []:
            for slot, outcome in ({one: SlotOutcome.STARTED} if isinstance(one, str) else one).items():
                if times.instant(slot) is None:
                    yield (*at, "expect", "slots"), f"expected a time such as 2026-01-31T08:00:00Z, found {slot!r}"
                if outcome not in list(SlotOutcome):
                    yield (*at, "expect", "slots"), unknown("outcome", outcome, SlotOutcome)


def _secrets(at: Place, given: TestFile | Case, host: ScriptedHost) -> Iterator[tuple[Place, str]]:
    for name, value in given.secrets.items():
        try:
            host.set_secrets({name: value})
        except Invalid as exc:
            yield (*at, "secrets", name), str(exc)
