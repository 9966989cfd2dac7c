"""Real machines: each is converted, and its text is submitted as to a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.asl.convert import convert
from chalicelib.asl.problems import Level
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.errors import EchoerError
from chalicelib.service.ports.actions import Taken
from tests.conformance.asl.cases import DATA

SUBSET: Final = DATA / "machines.jsonl"
"""Machines that together use what real machines use (data/README.md)."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a machine."""

    name: str
    lines_in: int
    """Lines of its JSON, indented by two."""
    lines_out: int
    errors: tuple[str, ...]
    """What the conversion cannot say in FSL, each with its place."""
    refusal: str
    """Why the text was refused; empty if it was accepted."""
    text: str


def convert_file(path: Path) -> Iterator[Converted]:
    """Convert each machine of a file of JSON lines (`definition`, `repo`, `path`). Raises OSError, ValueError."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield convert_machine(row["definition"], f"{row.get('repo', '')}/{row.get('path', '')}".strip("/"))


def convert_machine(definition: dict[str, Any], name: str) -> Converted:
    """Convert a machine and submit its flow."""
    conversion = convert(definition, "machine", {})
    errors = tuple(f"{one.pointer}: {one.message}" for one in conversion.problems if one.level is Level.ERROR)
    lines_in, lines_out = len(json.dumps(definition, indent=2).splitlines()), len(conversion.text.splitlines())
    return Converted(name, lines_in, lines_out, errors, _refusal(conversion.text), conversion.text)


def _refusal(text: str) -> str:
    host = VirtualHost(ScriptedCaller(lambda _: Taken()))
    try:
        host.services.submitter.submit(host.namespace, text)
    except EchoerError as exc:
        return str(exc)
    return ""
