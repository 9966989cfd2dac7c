"""Read FSL files for commands, and check them together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.authoring.analyze import SourceFile, analyze_all, diagnostics_of, source_file
from chalicelib.language import Checked
from chalicelib.model.flow import Flow, FlowRun
from fsl.cli.documents.diagnostics import show
from fsl.definition_json import Definition

STDIN: Final = "-"


def read_text(name: str) -> str:
    """Return the text of a file, or of standard input for `-`."""
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode("utf-8")
    except OSError as exc:
        raise click.BadParameter(f"cannot read {name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise click.ClickException(f"{name} is not UTF-8: {exc.reason} at byte {exc.start}") from exc


def display_name(name: str) -> str:
    """Return the name of a file for messages."""
    return "stdin" if name == STDIN else str(Path(name))


def read_sources(files: Sequence[str]) -> list[SourceFile]:
    """Read and parse the files."""
    return [source_file(display_name(name), read_text(name)) for name in files]


def read_definitions(files: Sequence[str]) -> list[Definition]:
    """Return the definitions of all files. If there are errors, print them and exit with 1."""
    return [statement.value for _, checked in read_checked(files) for statement in checked.statements]


def read_checked(files: Sequence[str]) -> list[tuple[SourceFile, Checked]]:
    """Read and check all files. If there are errors, print them and exit with 1."""
    found = analyze_all(read_sources(files), ALL_OPERATIONS("default"))
    failed = False
    for source, checked in found:
        errors = [one for one in diagnostics_of(source, checked) if one.severity == "error"]
        show(errors, source.text, source.name)
        failed = failed or bool(errors)
    if failed:
        raise click.exceptions.Exit(1)
    return found


def find_flow(definitions: Sequence[Definition], name: str | None) -> Flow:
    """Return the flow with this name, or the only flow. Raises UsageError."""
    flows = {one.name: one.steps for one in definitions if isinstance(one, FlowRun) and one.steps}
    flows |= {one.name: one for one in definitions if isinstance(one, Flow)}
    if name is None and len(flows) == 1:
        return next(iter(flows.values()))
    known = ", ".join(flows) or "none"
    if name is None:
        raise click.UsageError(f"choose a flow with --flow NAME; the files define: {known}")
    if name not in flows:
        raise click.UsageError(f"there is no flow {name!r}; the files define: {known}")
    return flows[name]
