"""`fsl fmt`: format FSL files."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from chalicelib import language
from fsl.cli.common import json_option, put, say, write_document
from fsl.cli.documents.diagnostics import show
from fsl.cli.documents.files import STDIN, display_name, read_text


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; print what would change.")
@json_option
@click.pass_context
def fmt(ctx: click.Context, *, files: Sequence[str], only_check: bool, only_diff: bool, as_json: bool) -> None:
    """Format FSL files in place.

    Comments and the meaning of the program are kept. A file with syntax errors is not changed, and the exit code is 1.
    FILES may be `-`: standard input is formatted to standard output.

    \b
    fsl fmt flows/*.fsl
    fsl fmt --check flows/*.fsl
    fsl fmt - < release.fsl
    """
    found = [_formatted(name) for name in files]
    for one in found:
        if one.formatted is None:
            continue
        if only_diff:
            write_document(difference(one.name, one.text, one.formatted, "formatted"))
        elif one.name == STDIN and not only_check and not as_json:
            write_document(one.formatted)
        elif one.changes and not only_check and one.name != STDIN:
            Path(one.name).write_bytes(one.formatted.encode())
    if as_json:
        put([{"file": one.name, "ok": one.formatted is not None, "changed": one.changes} for one in found])
    elif only_check or not only_diff:
        for one in (one for one in found if one.changes and (only_check or one.name != STDIN)):
            say(f"{one.name}: {'would be formatted' if only_check else 'formatted'}", err=True)
    failed = any(one.formatted is None or (one.changes and (only_check or only_diff)) for one in found)
    ctx.exit(1 if failed else 0)


@dataclass(frozen=True)
class _Formatted:
    name: str
    text: str
    formatted: str | None
    """None if the file has syntax errors, which are printed."""

    @property
    def changes(self) -> bool:
        return self.formatted is not None and self.formatted != self.text


def _formatted(name: str) -> _Formatted:
    text = read_text(name)
    try:
        return _Formatted(name, text, language.format_text(text))
    except language.Unreadable as unreadable:
        show(unreadable.diagnostics, text, display_name(name))
        say(f"{display_name(name)}: not formatted: {unreadable}", "red", err=True)
        return _Formatted(name, text, None)


def difference(name: str, old: str, new: str, done: str) -> str:
    """Return the changes of a file as a unified diff; `done` describes the new text."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, name, f"{name} ({done})")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
