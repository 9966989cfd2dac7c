"""`fsl upgrade`: rewrite FSL files of an earlier version of the language."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click

from chalicelib import FSL_VERSION
from chalicelib.authoring.analyze import SourceFile
from chalicelib.authoring.upgrade import Upgraded, upgrade_all
from fsl.cli.common import json_option, put, say, write_document
from fsl.cli.documents.diagnostics import show
from fsl.cli.documents.files import STDIN, display_name, read_sources
from fsl.cli.documents.fmt import difference


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; print what would change.")
@json_option
@click.pass_context
def upgrade(ctx: click.Context, *, files: Sequence[str], only_check: bool, only_diff: bool, as_json: bool) -> None:
    """Rewrite FSL files of an earlier version.

    The files are of version 0.3 of the language, and are read together: give the files that define the actions too.
    Comments and the layout are kept. What cannot be rewritten is printed with its place; then, or if a file has syntax
    errors, the exit code is 1. `-` is standard input, which is rewritten to standard output.

    \b
    fsl upgrade actions.fsl flows/*.fsl
    fsl upgrade --diff order.fsl
    """
    sources = read_sources(files)
    broken = [source for source in sources if source.document.damaged]
    for source in broken:
        show(source.syntax, source.text, source.name)
        say(f"{source.name}: not upgraded: the text has syntax errors", "red", err=True)
    if broken:
        ctx.exit(1)
    found = list(zip(files, sources, upgrade_all(sources), strict=True))
    for name, source, one in found:
        if only_diff:
            write_document(difference(display_name(name), source.text, one.text, "upgraded"))
        elif not only_check:
            _write(name, source, one, quiet=as_json)
    _report(found, only_check=only_check, only_diff=only_diff, as_json=as_json)
    changed = any(source.text != one.text for _, source, one in found)
    ctx.exit(1 if any(one.notes for *_, one in found) or (changed and (only_check or only_diff)) else 0)


def _write(name: str, source: SourceFile, one: Upgraded, *, quiet: bool) -> None:
    if name != STDIN and source.text != one.text:
        Path(name).write_bytes(one.text.encode())
    elif name == STDIN and not quiet:
        write_document(one.text)


def _report(
    found: Sequence[tuple[str, SourceFile, Upgraded]], *, only_check: bool, only_diff: bool, as_json: bool
) -> None:
    if as_json:
        notes = {source.name: [dataclasses.asdict(note) for note in one.notes] for _, source, one in found}
        put([{"file": s.name, "changed": s.text != one.text, "notes": notes[s.name]} for _, s, one in found])
        return
    for name, source, one in found:
        for note in one.notes:
            say(f"{source.name}:{note.line}:{note.column}: {note.message}", "yellow", err=True)
        if source.text != one.text and (only_check or (name != STDIN and not only_diff)):
            say(f"{source.name}: {'would be upgraded' if only_check else 'upgraded'} to {FSL_VERSION}", err=True)
