"""npm jsonata 2.2.2 and this package give the same answers, but for what differs on purpose."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib.expressions import NOTHING, Draw, ExpressionFailed
from chalicelib.expressions.compiled import Compiled
from tests.expressions import answers
from tests.expressions.comparison import same
from tests.expressions.generated import DOCUMENTS

NPM: Final = os.environ.get("JSONATA_NPM", "")
"""The folder in which npm jsonata is installed; live answers are compared where it is set, as it is in CI."""

_STRICTER: Final = {
    "D1001": "JavaScript goes on with NaN and Infinity",
    "L0055": "JavaScript divides by zero",
    "L0027": "JavaScript writes a moment that is out of range as NaN",
    "L0029": "JavaScript reads what is no number in the form of a picture as NaN or as some number",
    "D3012": "JavaScript writes a missing replacement as `undefined`",
    "D3110": "JavaScript reads an impossible date as NaN",
    "T0410": "JavaScript does not check the arguments of builtins applied in part",
    "L0054": "a name that is not known is an error",
}
_OTHER: Final = {
    r"\$(match|split)\(.*\U0001f600|\U0001f600.*\$(match|split)\(": "offsets count characters, not UTF-16 units",
    r"\]@\$e|\]#\$i": "JavaScript loses what an array literal at the start of a path binds",
    r"\$formatBase": "JavaScript writes the figures of integers beyond 2^53 roughly",
    r"\]\[.*\]\.\[": "JavaScript goes through the characters of a text that an array literal at the start of a path is",
    r"\*\]\.\[": "JavaScript's * finds its own mark of a sequence",
}
MAX_DIFFERENT: Final = 0.015
"""The share of answers that may differ on purpose."""


def _outcome(source: str, document: int) -> Any:
    try:
        return Compiled(source).evaluate({}, Draw(1_700_000_000_000), DOCUMENTS[document])
    except ExpressionFailed as failed:
        return failed


def _agree(answer: answers.Answer, outcome: Any) -> bool:
    if "v" in answer:
        return same(outcome, answer["v"])
    if not answer:
        return outcome is NOTHING
    return answer.get("e") == "crash" or isinstance(outcome, ExpressionFailed)


def _on_purpose(source: str, outcome: Any) -> bool:
    if isinstance(outcome, ExpressionFailed):
        return outcome.code in _STRICTER
    return any(re.search(pattern, source) for pattern in _OTHER)


def _unlike(rows: list[tuple[str, int, answers.Answer]]) -> list[str]:
    """Return what differs and should not; asserts that little does on purpose."""
    unlike = []
    different = 0
    for source, document, answer in rows:
        outcome = _outcome(source, document)
        if _agree(answer, outcome):
            continue
        different += 1
        if not _on_purpose(source, outcome):
            unlike.append(f"{source} (document {document}): {answer} here {outcome!r}")
    assert different <= MAX_DIFFERENT * len(rows)
    return unlike


def test_stored_answers_are_given() -> None:
    """At least 5,000 stored answers."""
    rows = answers.stored()
    assert len(rows) >= 5_000
    assert _unlike(rows) == []


@pytest.mark.skipif(not NPM, reason="JSONATA_NPM is not set")
def test_live_answers_are_given() -> None:
    """The stored expressions are those of today's grammar, and npm jsonata answers them so; others, too."""
    live = answers.cases()
    assert [(source, document) for source, document, _ in answers.stored()] == live
    fresh = answers.cases(2_000, seed=int(os.environ.get("JSONATA_SEED", "7")))
    for each in (live, fresh):
        given = answers.asked(Path(NPM), each)
        rows = [(source, document, answer) for (source, document), answer in zip(each, given, strict=True)]
        assert _unlike(rows) == []
