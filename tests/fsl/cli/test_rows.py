"""Runs in a list: called runs under their callers."""

from __future__ import annotations

from fsl.cli.runs.rows import MAX_ERROR_CHARACTERS, run_table, why
from fsl.client import Resource


def run(name: str, parent: str = "", error: str = "") -> Resource:
    spec: Resource = {"flow": "f", "status": "running", "current_state": "A", "created_at": None, "last_err": error}
    spec["parent"] = {"run": parent, "step": "Call"} if parent else None
    return {"metadata": {"name": name, "version": 1}, "spec": spec}


RUNS = [run("c"), run("b.1.1", "b.1"), run("b.2", "b"), run("b.1", "b"), run("b"), run("a.1", "a")]


def names(*, unfold: bool) -> list[str]:
    headings, rows = run_table(RUNS, unfold=unfold)
    assert headings == ("name", "flow", "status", "state", "begun")
    return [str(cells[0]) for cells in rows]


def test_called_runs_are_folded_into_their_callers() -> None:
    """A run whose caller is not listed is a row."""
    assert names(unfold=False) == ["c", "b (+3)", "a.1"]


def test_called_runs_are_shown_under_their_callers() -> None:
    assert names(unfold=True) == ["c", "b", "  b.2", "  b.1", "    b.1.1", "a.1"]


def test_an_error_is_one_short_line() -> None:
    assert why(run("a", error="Refused:\n  no")) == "Refused: no"
    assert len(why(run("a", error="x" * 1_000))) == MAX_ERROR_CHARACTERS
    headings, rows = run_table([run("a"), run("b", error="bad")], unfold=False)
    assert headings[-1] == "error"
    assert [getattr(cells[-1], "text", None) for cells in rows] == ["", "bad"]
