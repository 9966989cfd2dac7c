"""The file of an archive: JSON lines. A run is a line `{"run": ...}`, a line `{"entry": ...}` for each of its
transitions, and a line `{"end": ...}`. What follows the last `end` is incomplete, and is written again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedRandom
from pathlib import Path
from typing import Any

import click

from fsl.cli.common import Json
from fsl.client import Resource


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """A run in an archive, with its whole history."""

    run: Resource
    entries: list[Resource] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.run["metadata"]["name"])


class ArchiveFile:
    """An archive that is being written. Use it in one process at a time."""

    def __init__(self, path: Path) -> None:
        self._file: BufferedRandom = path.open("r+b" if path.exists() else "w+b")
        self.known: dict[str, int] = {}
        """The runs in it: for the uuid of each, the number of its last transition."""
        self._recover()

    def close(self) -> None:
        self._file.close()

    def write(self, run: Resource, entries: Iterable[Resource]) -> None:
        """Add a run. It counts once `flush` has returned."""
        uuid, count, seq = str(run["metadata"]["uuid"]), 0, int(run["spec"]["seq"])
        self._line({"run": run})
        for entry in entries:
            self._line({"entry": entry})
            count += 1
        self._line({"end": {"name": run["metadata"]["name"], "uuid": uuid, "entries": count, "seq": seq}})
        self.known[uuid] = seq

    def flush(self) -> None:
        """Return once everything is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def _line(self, value: Json) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def _recover(self) -> None:
        """Read what is in the file, and cut off what is incomplete."""
        complete = 0
        for line in self._file:
            complete_at = self._file.tell() if line.startswith(b'{"end"') and line.endswith(b"\n") else None
            if complete_at is not None:
                end = json.loads(line)["end"]
                self.known[str(end["uuid"])], complete = int(end["seq"]), complete_at
        self._file.seek(complete)
        self._file.truncate()


def read(path: Path) -> Iterator[ArchivedRun]:
    """Yield the runs of an archive, one at a time. Raises click.ClickException if it is none."""
    found: ArchivedRun | None = None
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match _value(path, number, line):
                case {"run": dict(run)}:
                    found = ArchivedRun(run)
                case {"entry": dict(entry)} if found is not None:
                    found.entries.append(entry)
                case {"end": _} if found is not None:
                    yield found
                    found = None
                case _:
                    raise click.ClickException(f"{path}, line {number}: this is no archive of runs")


def _value(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as exc:
        raise click.ClickException(f"{path}, line {number}: this is no JSON: {exc}") from exc
