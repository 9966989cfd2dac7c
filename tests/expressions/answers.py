"""The answers of npm jsonata 2.2.2: asked live, or stored.

`python -m tests.expressions.answers FOLDER` asks the npm package that is installed in FOLDER and stores its answers.
"""

# ruff: noqa: S603

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.expressions.generated import DOCUMENTS, expressions
from tests.expressions.written import WRITTEN

COUNT: Final = 6_000
SEED: Final = 2026
STORED: Final = Path(__file__).parent / "data" / "answers.json.gz"
_SCRIPT: Final = Path(__file__).parent / "answers.mjs"

Answer = dict[str, Any]


def cases(count: int = COUNT, seed: int = SEED) -> list[tuple[str, int]]:
    """Return expressions, each with the number of its document: written by hand, and generated."""
    return [*((source, 0) for source in WRITTEN), *expressions(count, seed)]


def asked(folder: Path, asked_cases: list[tuple[str, int]]) -> list[Answer]:
    """Return what the npm package in the folder answers to each case."""
    given = json.dumps({"documents": DOCUMENTS, "cases": asked_cases})
    command = ["node", str(_SCRIPT), str(folder)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=300)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def stored() -> list[tuple[str, int, Answer]]:
    """Return the stored cases with their answers."""
    return [tuple(case) for case in json.loads(gzip.decompress(STORED.read_bytes()))]


def store(folder: Path) -> None:
    """Ask for the answers to all cases, and store them."""
    kept = cases()
    answers = asked(folder, kept)
    rows = [[source, document, answer] for (source, document), answer in zip(kept, answers, strict=True)]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    STORED.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    store(Path(sys.argv[1]).resolve())
