"""`fsl test`: run the tests of programs on a virtual clock, without a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import click

from chalicelib.model.json_values import Json
from chalicelib.model.times import format_elapsed
from fsl.cli.common import json_option, put, say, table
from fsl.testing.case_run import CaseRun
from fsl.testing.coverage import Coverage, share
from fsl.testing.document import BadTest
from fsl.testing.junit import report
from fsl.testing.program import BadProgram
from fsl.testing.report import describe, describe_history
from fsl.testing.suite import Result, Suite, find

POLL_S: Final = 0.4
"""How often `--watch` looks for changed files."""


@dataclass(slots=True)
class Round:
    """The results of running all tests once. `problems`: files that could not be run."""

    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    files: set[Path] = field(default_factory=set)
    """The files that were read."""

    @property
    def code(self) -> int:
        """The exit code: 2 if a file could not be run, 1 if a test failed, else 0."""
        if self.problems:
            return 2
        return 0 if all(result.ok for result in self.results) else 1


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "wanted", metavar="NAME", default="", help="Run only tests with NAME in their file or name.")
@click.option("--watch", is_flag=True, help="Run the tests again when a file changes.")
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML.")
@click.option("--coverage/--no-coverage", default=True, help="Print which steps and routes were taken (the default).")
@click.option("-v", "--verbose", is_flag=True, help="Print every test with the transitions of its run.")
@json_option
@click.pass_context
def test(
    ctx: click.Context, *, paths: Sequence[Path], wanted: str, watch: bool, junit: Path | None,
    coverage: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run the tests of FSL programs on a virtual clock.

    No server is needed, and a wait of a month takes a millisecond. PATHS are test files (NAME.test.yaml), programs
    (NAME.fsl) with a test file of the same name, or folders; the default is the current folder. The exit code is 1 if
    a test failed, and 2 if a test file or its program has errors.

    \b
    fsl test
    fsl test order.fsl -v
    fsl test flows -k refund --junit report.xml
    """

    def once() -> Round:
        done = run(paths or (Path(),), wanted)
        if junit:
            junit.write_bytes(report(done.results))
        if as_json:
            put(_as_json(done, coverage=coverage))
        else:
            _tell(done, coverage=coverage, verbose=verbose)
        return done

    done = once()
    if watch:
        watching(once, done, paths or (Path(),))
    ctx.exit(done.code)


def run(paths: Sequence[Path], wanted: str = "") -> Round:
    """Run every test in the paths once."""
    done = Round()
    try:
        files = find(paths)
    except FileNotFoundError as exc:
        done.problems.append(f"error: {exc}")
        return done
    for file in files:
        done.files.add(file)
        done.files |= _beside(file)
        try:
            suite = Suite(file)
            done.files |= set(suite.program_files)
            done.results += suite.run(done.coverage, wanted)
        except (BadTest, BadProgram) as exc:
            done.problems.append(str(exc))
        except OSError as exc:
            done.problems.append(f"{file}: error: {exc.strerror or exc}")
    if not done.problems and not done.results:
        which = f" with {wanted!r} in its name" if wanted and files else ""
        done.problems.append(f"error: there is no test{which}; the tests of NAME.fsl are in NAME.test.yaml")
    return done


def watching(
    once: Callable[[], Round], done: Round, paths: Sequence[Path], wait: Callable[[float], object] = time.sleep
) -> None:
    """Call `once` after each change of a file that it reads, until `wait` is interrupted."""
    try:
        while True:
            say(f"watching {len(done.files)} files; press Ctrl-C to stop", "dim", err=True)
            before = _seen(done, paths)
            while _seen(done, paths) == before:
                wait(POLL_S)
            done = once()
    except KeyboardInterrupt:
        return


def _beside(file: Path) -> set[Path]:
    """Return the programs in the folder of a test file; one of them is probably tested by it."""
    return set(file.parent.glob("*.fsl"))


def _seen(done: Round, paths: Sequence[Path]) -> dict[Path, tuple[int, int]]:
    """Return the time and size of each file, which change when a file is changed, added or removed."""
    try:
        files = done.files | set(find(paths))
    except FileNotFoundError:
        files = done.files
    found: dict[Path, tuple[int, int]] = {}
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        found[file] = (stat.st_mtime_ns, stat.st_size)
    return found


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(done: Round, *, coverage: bool, verbose: bool) -> None:
    for result in done.results:
        if not result.ok:
            for n, line in enumerate(describe(result)):
                say(line, "red" if n == 0 else "")
        elif verbose:
            say(f"ok {result.file}:{result.line}: {result.case.name} ({format_elapsed(result.run.duration)})", "green")
            for line in (line for run in result.run.runs or (result.run,) for line in describe_history(run)):
                say(line, "dim")
    if coverage and done.results:
        _tell_coverage(done.coverage)
    for problem in done.problems:
        say(problem, "red", err=True, lines=True)
    say(_summary(done), "green" if done.code == 0 else "red", err=done.code == 2)


def _tell_coverage(coverage: Coverage) -> None:
    """Print a table. Columns for repeats and undos are left out if no flow has any."""
    flows = [(flow, {what: (taken, there) for what, taken, there in flow.counted()}) for flow in coverage.flows()]
    columns = [what for what in ("steps", "routes", "repeats", "undos") if any(counts[what][1] for _, counts in flows)]
    rows: list[list[str]] = []
    for flow, counts in flows:
        missed = [f"{one.step}: {one.part}" + (f"  {one.place}" if one.place else "") for one in flow.missed]
        rows.append([flow.flow, *(share(*counts[what]) for what in columns), missed[0] if missed else ""])
        rows += [["", *("" for _ in columns), one] for one in missed[1:]]
    table(["flow", *columns, "never taken"], rows)


def _summary(done: Round) -> str:
    failed = sum(not result.ok for result in done.results)
    counted = [(len(done.results) - failed, "passed"), (failed, "failed"), (len(done.problems), "could not be run")]
    return ", ".join(f"{count} {what}" for count, what in counted if count) or "no tests"


def _as_json(done: Round, *, coverage: bool) -> Json:
    told = {
        "ok": done.code == 0,
        "tests": [_result_as_json(result) for result in done.results],
        "problems": done.problems,
    }
    return told | ({"coverage": [flow.as_json() for flow in done.coverage.flows()]} if coverage else {})


def _result_as_json(result: Result) -> Json:
    several = {"runs": [{"name": run.name, **_run_as_json(run)} for run in result.run.runs]} if result.run.runs else {}
    return {
        "file": result.file,
        "line": result.line,
        "name": result.case.name,
        "ok": result.ok,
        "failures": [asdict(one) for one in result.failures],
        **_run_as_json(result.run),
        **several,
    }


def _run_as_json(run: CaseRun) -> dict[str, Json]:
    return {
        "status": str(run.head.status),
        "path": list(_path(run)),
        "output": run.head.output,
        "last_err": run.head.last_err,
        "took_ms": run.duration,
    }


def _path(run: CaseRun) -> Iterator[Json]:
    for step, state in run.path:
        yield {"step": step, "state": state}
