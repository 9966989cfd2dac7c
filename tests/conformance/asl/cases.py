"""The suite: executions as AWS answered them.

A file is a JSON array, or has one case a line. Members of a case that are not read here are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

DATA: Final = Path(__file__).parent / "data"
SUITE: Final = DATA / "suite.jsonl"
"""The half of the suite that is part of the project (data/README.md)."""

OWN: Final = DATA / "own.jsonl"
"""Cases that were not recorded, for what the recordings hardly have."""


class Kind(StrEnum):
    """What a case needs to run."""

    PURE = "pure"
    """Nothing: it calls no service."""
    TASK = "task"
    """The recorded answers of its tasks."""
    S3 = "s3"
    """Objects of S3, which an ItemReader reads."""
    PARTIAL = "partial"
    """An answer that was not recorded."""


class RecordedTask(msgspec.Struct, frozen=True, kw_only=True):
    """What one task asked, and what it was answered."""

    state: str
    event: str
    """The event that ended it, such as `TaskSucceeded`, `LambdaFunctionFailed` or `ActivityTimedOut`."""
    service: str
    """The service and its operation, such as `lambda:invoke`, `lambda:function` (an ARN), `activity:NAME`."""
    request: Any = None
    output: Any = None
    error: str | None = None
    cause: Any = None
    iteration: list[tuple[str, int]] = []
    """The Map states around it, outermost first, each with the index of the item."""

    @property
    def timed_out(self) -> bool:
        return self.event.endswith("TimedOut")

    @property
    def failed(self) -> bool:
        return self.event.endswith("Failed")


class StoredObject(msgspec.Struct, frozen=True):
    """An object of S3."""

    key: str
    body: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `wildcards` maps a JSON pointer (`/output/a`) to `*` or to a regular expression."""

    id: str
    group: str
    definition: dict[str, Any]
    input: Any = None
    status: str
    output: Any = None
    error: str | None = None
    cause: Any = None
    wildcards: dict[str, str] = {}
    lang: str = "JSONPath"
    """The query language of the machine: JSONPath or JSONata."""
    pure: bool = True
    tasks: list[RecordedTask] = []
    needs: list[str] = []
    s3: list[StoredObject] = []

    @property
    def kind(self) -> Kind:
        if self.pure:
            return Kind.PURE
        if self.s3 and not self.tasks:
            return Kind.S3
        return Kind.PARTIAL if self.needs and not self.tasks else Kind.TASK


def load(path: Path = SUITE) -> Sequence[Case]:
    """Return the cases of a file. Raises OSError, ValueError."""
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if text.lstrip()[:1] == "[" else [json.loads(line) for line in text.splitlines() if line]
    return [msgspec.convert(row, Case) for row in rows]
