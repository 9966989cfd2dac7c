"""The public suite: every case passes but those that differ on purpose, each for a reason."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, Final

from chalicelib.expressions import NOTHING, Draw, ExpressionFailed
from chalicelib.expressions.compiled import Compiled
from tests.expressions.comparison import same
from tests.expressions.public_suite import Case, cases

DIFFERENT: Final = {
    r"function-eval/.*": "there is no $eval: an expression does not evaluate texts",
    r"range-operator/case02[1-4]/0": "an array has at most 100,000 items",
    r"flattening/large/[01]": "an array has at most 100,000 items",
    r"performance/case00[01]/0": "it takes more steps than one evaluation may",
    r"tail-recursion/case00[256]/0": "the suite stops recursions by limits of its own",
    r"function-string/case0(19|20)/0": "1/0 is an error at once, not first when it is written",
    r"token-conversion/case002/0": "$.7a has two problems; the first is reported",
}
"""The names of cases, and why they differ."""


def _outcome(case: Case) -> Any:
    names = dict.fromkeys(("x", "foo", "fdsd", "unknown", "decrypt"), NOTHING) | case.bindings
    document = NOTHING if case.document is ... else case.document
    try:
        return Compiled(case.source).evaluate(names, Draw(1_700_000_000_000, b"suite"), document)
    except ExpressionFailed as failed:
        return failed


def _passes(case: Case, outcome: Any) -> bool:
    expected = case.expected
    code = expected.get("code") or expected.get("error", {}).get("code")
    if code:
        return isinstance(outcome, ExpressionFailed) and outcome.code == code
    if expected.get("undefinedResult"):
        return outcome is NOTHING
    if expected.get("unordered") and isinstance(outcome, list):
        return sorted(map(str, outcome)) == sorted(map(str, expected["result"]))
    return same(outcome, expected.get("result"))


def test_every_case_passes_or_differs_on_purpose() -> None:
    """All cases pass but those of DIFFERENT, and each of these matches one that does not."""
    before = deepcopy([(case.document, case.bindings) for case in cases()])
    failed = [case.name for case in cases() if not _passes(case, _outcome(case))]
    assert len(cases()) > 1_600
    assert [(case.document, case.bindings) for case in cases()] == before, "an expression changed what it read"
    assert [name for name in failed if not any(re.fullmatch(pattern, name) for pattern in DIFFERENT)] == []
    assert [pattern for pattern in DIFFERENT if not any(re.fullmatch(pattern, name) for name in failed)] == []
