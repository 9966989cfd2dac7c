"""Golden files: the definitions of each valid document, and the diagnostics of each invalid one.

`ECHOER_REGENERATE=1 pytest tests/language` rewrites the golden files. Read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.language import KnownNames, Problem, read, render

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.fsl"))
INVALID = sorted((HERE / "invalid").glob("*.fsl"))
REGENERATE = os.environ.get("ECHOER_REGENERATE") == "1"
KNOWN = KnownNames(operations=ALL_OPERATIONS("default"))
NO_GOLDEN = {Problem.DOCUMENT_TOO_LARGE}  # its smallest document has a megabyte; it is in test_limits.py
"""Problems that another test covers."""


def test_the_folders_are_not_empty() -> None:
    assert len(VALID) >= 25
    assert len(INVALID) >= 70


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_document_means_what_its_golden_file_says(path: Path) -> None:
    checked = read(_text(path), KNOWN)
    assert [one for one in checked.diagnostics if one.severity == "error"] == []
    statements = [
        {"kind": one.kind, "name": one.name, "value": msgspec.to_builtins(one.value)} for one in checked.statements
    ]
    warnings = [f"{one.line}:{one.column} {one.slug}" for one in checked.diagnostics]
    found = json.dumps({"statements": statements, "warnings": warnings}, indent=2, ensure_ascii=False) + "\n"
    assert found == _expected(path.with_suffix(".json"), found)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_document_is_answered_as_its_golden_file_says(path: Path) -> None:
    text = _text(path)
    checked = read(text, KNOWN, expression_problem=_unbalanced)
    assert checked.diagnostics
    found = "\n".join(render(one, text, path.name) for one in checked.diagnostics) + "\n"
    assert found == _expected(path.with_suffix(".txt"), found)
    assert bool(checked.statements) is not any(one.severity == "error" for one in checked.diagnostics)


def test_every_problem_has_a_golden_file() -> None:
    shown = "".join(path.with_suffix(".txt").read_text(encoding="utf-8") for path in INVALID)
    assert [one.slug for one in Problem if f" {one.code} {one.slug}: " not in shown] == [p.slug for p in NO_GOLDEN]


def test_codes_are_unique_and_of_their_severity() -> None:
    assert len({one.code for one in Problem}) == len(Problem)
    assert {one.severity for one in Problem if one.code.startswith("FSL3")} == {"warning"}
    assert {one.severity for one in Problem if not one.code.startswith("FSL3")} == {"error"}


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _expected(path: Path, found: str) -> str:
    if REGENERATE:
        path.write_text(found, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _unbalanced(source: str) -> tuple[int, str] | None:
    """Replaces JSONata's parser. It only checks that parentheses match."""
    return None if source.count("(") == source.count(")") else (source.index("("), "expected ')'")
