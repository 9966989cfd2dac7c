"""The public test suite of JSONata, as the source distribution of `jsonata2py` ships it. It is not part of this repository."""

# ruff: noqa: S603, E501

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

PACKAGE: Final = "jsonata2py==0.1.3"
_FOLDER: Final = Path(__file__).parents[2] / ".pytest_cache" / "jsonata-suite"
_WITHIN: Final = "tests/resources/jsonata-test-suite"


class Case(NamedTuple):
    """One case: its name, the expression, its document (`...` if it has none), its bindings and what is expected."""

    name: str
    source: str
    document: Any
    bindings: dict[str, Any]
    expected: dict[str, Any]


@cache
def cases() -> list[Case]:
    """Return all cases; skips the test where the suite cannot be had, but not in CI."""
    try:
        folder = _downloaded()
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the public suite cannot be downloaded here: {error}")
    documents = {path.stem: json.loads(path.read_text()) for path in (folder / "datasets").glob("*.json")}
    return [
        _case(path, index, case, documents)
        for path in sorted((folder / "groups").glob("*/*.json"))
        for index, case in enumerate(_listed(json.loads(path.read_text())))
    ]


def _listed(read: Any) -> list[dict[str, Any]]:
    return read if isinstance(read, list) else [read]


def _case(path: Path, index: int, case: dict[str, Any], documents: dict[str, Any]) -> Case:
    source = case["expr"] if "expr" in case else (path.parent / case["expr-file"]).read_text()
    document = case["data"] if "data" in case else documents[case["dataset"]] if case.get("dataset") else ...
    return Case(f"{path.parent.name}/{path.stem}/{index}", source, document, case.get("bindings") or {}, case)


def _downloaded() -> Path:
    """Download the source distribution once, by the name of the package."""
    found = list(_FOLDER.glob(f"*/{_WITHIN}"))
    if found:
        return found[0]
    _FOLDER.mkdir(parents=True, exist_ok=True)
    name, _, _ = PACKAGE.partition("==")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        name,
        "--dest",
        str(_FOLDER),
    ]
    subprocess.run([*command, PACKAGE], check=True, capture_output=True, timeout=240)
    for archive in _FOLDER.glob("*.tar.gz"):
        with tarfile.open(archive) as files:
            files.extractall(_FOLDER, filter="data")
    return next(_FOLDER.glob(f"*/{_WITHIN}"))
