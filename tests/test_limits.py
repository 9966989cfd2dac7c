"""LIMITS.md and SECURITY.md are correct: numbers are those of their constants, and each test that is named exists."""

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
"""Factor of each unit. Times are milliseconds, except those counted in seconds."""

NAMED = re.compile(r"`(tests/[\w/]+\.py)?(?:::(\w+))?(?:\[([^\]`]+)\])?`")
"""A test as a table cites it."""

UNTESTED = {"time of a request"}
"""Limits that API Gateway enforces, so that no test here can cover them."""


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
    """Return the number in the cell."""
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


def missing(cells: Iterator[str]) -> list[str]:
    """Return the tests in these cells that do not exist. Parts missing from `FILE::NAME[CASE]` are as before."""
    file, name = "", ""
    found = []
    for cell in cells:
        for path, test, case in NAMED.findall(cell):
            file, name = path or file, test or name
            text = (ROOT / file).read_text() if (ROOT / file).is_file() else ""
            there = re.search(rf"\b(def|class) {name}\b", text) and (not case or f'"{case}"' in text)
            if not there:
                found.append(f"{file}::{name}[{case}]")
    return found


def test_tests_of_limits_exist() -> None:
    assert missing(row.shown_by for row in ROWS) == []


def test_every_limit_has_a_test() -> None:
    assert [row.what for row in ROWS if not NAMED.search(row.shown_by) and row.what not in UNTESTED] == []


def test_tests_of_threats_exist() -> None:
    lines = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if "`tests/" in line]
    assert len(lines) > 50
    assert missing(line.rpartition(" | ")[2] for line in lines) == []


INTERNAL = {
    "chalicelib.entrypoints.http.audit:MAX_NAME_CHARACTERS",
    "chalicelib.entrypoints.http.openapi.page:MAX_EXAMPLE_CHARACTERS",
    "chalicelib.entrypoints.http.task_page:MAX_SHOWN_CHARACTERS",
    "chalicelib.entrypoints.http.terminal.tables:MAX_ERROR_CHARACTERS",
    "chalicelib.entrypoints.http.terminal.verbs.reading:MAX_ROWS",
    "chalicelib.entrypoints.http.views.activations:MAX_SEQ",
    "chalicelib.entrypoints.http.views.authoring:MAX_OFFERED_NAMES",
    "chalicelib.entrypoints.http.views.versions:MAX_VERSION",
    "chalicelib.entrypoints.http.views.watch:MIN_WHOLE_BYTES",
    "chalicelib.entrypoints.http.views.watch:MAX_SECONDS",
}
"""Constants that refuse nothing which a caller would send: how much a page or a terminal shows, ranges of numbers."""


def constants(*folders: str) -> Iterator[str]:
    """Yield the limits that these modules define, each as `module:NAME`."""
    for folder in folders:
        for path in sorted([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield from (f"{module}:{name}" for name in re.findall(r"^(M(?:AX|IN)_\w+): Final", path.read_text(), re.M))


def test_every_limit_of_calls_and_documents_is_on_the_page() -> None:
    found = set(constants("chalicelib/entrypoints/http", "chalicelib/language/limits.py"))
    assert found >= INTERNAL
    assert found - INTERNAL - {row.where.strip("`") for row in ROWS} == set()


CLIENTS_OWN = {"ECHOER_URL", "ECHOER_TOKEN"}
"""What clients read. A server warns of the first."""


def settings_in(text: str) -> set[str]:
    return set(re.findall(r"\bECHOER_[A-Z0-9_]+", text))


def test_every_setting_is_in_the_table_of_settings_and_none_else() -> None:
    """The table is the docstring of `config`, of which the page of settings is made."""
    source = (ROOT / "chalicelib" / "config.py").read_text()
    table = source.split('"""')[1]
    listed = settings_in(" ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|")))
    assert settings_in(source.replace(table, "", 1)) - CLIENTS_OWN == listed


def test_settings_that_documents_name_exist() -> None:
    known = settings_in((ROOT / "chalicelib" / "config.py").read_text())
    pages = [ROOT / name for name in ("LIMITS.md", "SECURITY.md", "README.md", "fsl/manual.md")]
    for page in [*pages, *(ROOT / "docs").rglob("*.md")]:
        assert settings_in(page.read_text()) <= known, page
