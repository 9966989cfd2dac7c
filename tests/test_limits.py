"""LIMITS.md is correct: each number is that of its constant, and each test that it names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

UNITS = {
    "KiB": 1024,
    "MiB": 1024 * 1024,
    "s": 1_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "bytes": 1,
    "characters": 1,
    "seconds": 1,
    "bits": 1,
    "": 1,
}
"""What a number is multiplied by; times are milliseconds, but for those that are counted in seconds."""

UNTESTED = {"time of a request"}
"""What API Gateway does by itself, and nothing here can show."""


@dataclass(frozen=True)
class Row:
    what: str
    limit: str
    where: str
    shown_by: str


def rows() -> Iterator[Row]:
    for line in (ROOT / "LIMITS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) >= 4 and cells[0] != "what" and set(cells[0]) != {"-"} and cells[-2]:
            yield Row(cells[0], cells[1], cells[-2], cells[-1])


ROWS = list(rows())


def test_the_page_has_its_rows() -> None:
    assert len(ROWS) > 60


def said(limit: str) -> float:
    """The number in the cell."""
    found = re.search(r"(?<![\w,])(\d[\d,]*)(?: (\w+))?", limit)
    assert found, limit
    unit = found[2] if found[2] in UNITS else ""
    return int(found[1].replace(",", "")) * UNITS[unit]


def in_the_code(where: str) -> float:
    found = re.fullmatch(r"`([\w.]+):(\w+)`", where)
    assert found, where
    value = getattr(import_module(found[1]), found[2])
    return (value.stop - value.start - 1).bit_length() if isinstance(value, range) else float(value)


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_the_number_is_the_code_s(row: Row) -> None:
    assert said(row.limit) == in_the_code(row.where)


def test_tests_are_named_that_exist() -> None:
    """`FILE::NAME[CASE]`; what is left out is as in the one named before."""
    file, name = "", ""
    missing, unnamed = [], []
    for row in ROWS:
        found = re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?(?:\[([^\]`]+)\])?`", row.shown_by)
        if not found and row.what not in UNTESTED:
            unnamed.append(row.what)
        for path, test, case in found:
            file, name = path or file, test or name
            text = (ROOT / file).read_text() if (ROOT / file).is_file() else ""
            there = re.search(rf"\b(def|class) {name}\b", text) and (not case or f'"{case}"' in text)
            if not there:
                missing.append(f"{file}::{name}[{case}]")
    assert (missing, unnamed) == ([], [])
