"""How many cases pass, per group, next to other programs' figures for the same cases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.conformance.asl.cases import DATA, Kind
from tests.conformance.asl.runner import Verdict

PAGE: Final = Path(__file__).parents[3] / "docs" / "step-functions-conformance.md"
BEGIN: Final = "<!-- generated: python -m tests.conformance.asl --markdown -->\n"
END: Final = "<!-- end of what is generated -->\n"
MOTO: Final = DATA / "moto.json"
"""The cases that moto passed, counted per group, and its version (python -m tests.conformance.asl.on_moto)."""

KINDS: Final = {
    Kind.PURE: "no service is called",
    Kind.TASK: "services answer as recorded",
    Kind.S3: "items are read from S3",
    Kind.PARTIAL: "an answer was not recorded",
}


def per_group(verdicts: Iterable[Verdict]) -> Mapping[tuple[Kind, str], tuple[int, int]]:
    """Return passed and all cases of each kind and group, sorted."""
    passed, total = Counter[tuple[Kind, str]](), Counter[tuple[Kind, str]]()
    for verdict in verdicts:
        key = (verdict.case.kind, verdict.case.group)
        total[key] += 1
        passed[key] += verdict.passed
    order = list(KINDS)
    return {key: (passed[key], total[key]) for key in sorted(total, key=lambda key: (order.index(key[0]), key[1]))}


def share(verdicts: Sequence[Verdict], *kinds: Kind) -> float:
    """Return the percentage of passed cases of these kinds; 100 if there are none."""
    chosen = [verdict.passed for verdict in verdicts if verdict.case.kind in kinds]
    return 100 * sum(chosen) / len(chosen) if chosen else 100.0


def markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the tables of the page."""
    counts = per_group(verdicts)
    moto = json.loads(MOTO.read_text(encoding="utf-8"))
    lines = ["| cases | passed | of | |", "|---|---:|---:|---:|"]
    for kind, words in KINDS.items():
        chosen = [counted for (of_kind, _), counted in counts.items() if of_kind is kind]
        lines.append(f"| {words} | {_cells(sum(p for p, _ in chosen), sum(n for _, n in chosen))} |")
    lines += ["", f"| group, no service | Echoer | moto {moto['version']} | of |", "|---|---:|---:|---:|"]
    for (kind, group), (passed, total) in counts.items():
        if kind is Kind.PURE:
            lines.append(f"| {group} | {passed} | {moto['passed'].get(group, 0)} | {total} |")
    lines += ["", "| group, with services | Echoer | of |", "|---|---:|---:|"]
    for (kind, group), (passed, total) in counts.items():
        if kind is Kind.TASK:
            lines.append(f"| {group} | {passed} | {total} |")
    return "\n".join(lines) + "\n"


def _cells(passed: int, total: int) -> str:
    return f"{passed} | {total} | {100 * passed / total:.1f} %" if total else "0 | 0 | "


def written(page: str, tables: str) -> str:
    """Return the page with these tables in it."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}"
