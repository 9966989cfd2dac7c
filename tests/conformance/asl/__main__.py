"""Run recorded executions of AWS Step Functions through Echoer.

    python -m tests.conformance.asl                          # the suite of the project
    python -m tests.conformance.asl SUITE.json --at-least 97
    python -m tests.conformance.asl --group base --verbose   # with the flows that missed
    python -m tests.conformance.asl --case test_wait --verbose
    python -m tests.conformance.asl --markdown               # write docs/step-functions-conformance.md
    python -m tests.conformance.asl --machines FILE.jsonl    # convert real machines and check their flows
    python -m tests.conformance.asl --drawn 1000 --seed 7    # machines drawn at random, against a direct interpreter

Exits with 1 if fewer than `--at-least` percent of the cases pass, if a machine is not converted into a flow that a
server accepts, or if a drawn machine ends differently.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.asl import drawn, figures, machines
from tests.conformance.asl.cases import SUITE, Kind, load
from tests.conformance.asl.expected import EXPECTED
from tests.conformance.asl.runner import Verdict, run_case


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Return its exit code."""
    given = _parser().parse_args(arguments)
    if given.machines:
        return _machines(given.machines, verbose=given.verbose)
    if given.drawn:
        return _drawn(given.drawn, given.seed)
    cases = [one for one in load(given.suite) if given.group in ("", one.group) and given.case in one.id]
    if not cases:
        _say("no such case")
        return 1
    verdicts = [run_case(case) for case in cases]
    if given.markdown:
        page = figures.PAGE.read_text(encoding="utf-8")
        figures.PAGE.write_text(figures.written(page, figures.markdown(verdicts)), encoding="utf-8")
        return 0
    _report(verdicts, verbose=given.verbose)
    counted = figures.share(verdicts, Kind.PURE, Kind.TASK)
    _say(f"pure {figures.share(verdicts, Kind.PURE):.2f} %, task {figures.share(verdicts, Kind.TASK):.2f} %")
    return 0 if counted >= given.at_least else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.asl", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("suite", nargs="?", type=Path, default=SUITE, help="a suite: a JSON array, or a case a line")
    parser.add_argument("--group", default="", help="only the cases of this group")
    parser.add_argument("--case", default="", help="only the cases whose id contains this")
    parser.add_argument("--verbose", action="store_true", help="show the flow of each case that missed")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="PERCENT")
    parser.add_argument("--markdown", action="store_true", help="write the tables into the documentation")
    parser.add_argument("--machines", type=Path, metavar="FILE", help="convert the machines of this file")
    parser.add_argument("--drawn", type=int, default=0, metavar="COUNT", help="draw so many machines")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _report(verdicts: Sequence[Verdict], *, verbose: bool) -> None:
    for verdict in verdicts:
        if verdict.passed:
            continue
        known = " (expected)" if verdict.case.id in EXPECTED else ""
        _say(f"MISS [{verdict.case.kind.value}] {verdict.case.id}{known}\n     {verdict.reason}")
        if verbose:
            _say("".join(f"     | {line}\n" for line in verdict.text.splitlines()))
    for (kind, group), (passed, total) in figures.per_group(verdicts).items():
        _say(f"{kind.value:8}{group:22}{passed:4} of {total}")


def _machines(path: Path, *, verbose: bool) -> int:
    found = list(machines.convert_file(path))
    for one in found:
        for text in filter(None, (*one.errors, one.refusal)):
            _say(f"{one.name}\n     {text}")
        if verbose and (one.errors or one.refusal):
            _say(one.text)
    lines_in, lines_out = sum(one.lines_in for one in found), sum(one.lines_out for one in found)
    _say(f"{len(found)} machines: {lines_in} lines of JSON, {lines_out} lines of FSL")
    _say(f"{sum(bool(one.errors) for one in found)} with errors, {sum(bool(one.refusal) for one in found)} refused")
    return 1 if any(one.refusal for one in found) else 0


def _drawn(count: int, seed: int) -> int:
    found = drawn.differences(seed, count)
    for difference in found:
        _say(difference)
    _say(f"seeds {seed} to {seed + count - 1}: {len(found)} machines differ")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
