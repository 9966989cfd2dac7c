"""`fsl fmt`, `graph`, `explain`, `export`, `import`, `schema`, `lsp`: what is done to documents without a server."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import click

from chalicelib import diagrams, language
from chalicelib.authoring.explain import explain
from chalicelib.model.actions import Action
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import Flow, FlowRun
from fsl.cli.check import show_rows
from fsl.cli.common import json_option, put, remote, say, show
from fsl.client import Client
from fsl.definition_json import Definition, exported, imported, schema_text
from fsl.sources import Source, read_all

STDIN: Final = "-"
FORMATS: Final = ("text", "json", "mermaid", "dot", "svg")


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; show what would change.")
@json_option
@click.pass_context
def fmt(ctx: click.Context, *, files: Sequence[str], only_check: bool, only_diff: bool, as_json: bool) -> None:
    """Lay FSL out in its one canonical form, in place. `-` is standard input to standard output.

    Comments stay and meaning does not change. A file with syntax errors is left as it is; then the exit code is 1.

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
            click.echo(_difference(one), nl=False)
        elif one.name == STDIN and not only_check and not as_json:
            click.echo(one.formatted, nl=False)
        elif one.changes and not only_check and one.name != STDIN:
            Path(one.name).write_bytes(one.formatted.encode())
    if as_json:
        put([{"file": one.name, "ok": one.formatted is not None, "changed": one.changes} for one in found])
    elif only_check or not only_diff:
        for one in (one for one in found if one.changes and (only_check or one.name != STDIN)):
            say(f"{one.name}: {'would be laid out anew' if only_check else 'laid out anew'}", err=True)
    failed = any(one.formatted is None or (one.changes and (only_check or only_diff)) for one in found)
    ctx.exit(1 if failed else 0)


@dataclasses.dataclass(frozen=True)
class _Formatted:
    name: str
    text: str
    formatted: str | None
    """None: it has syntax errors, which have been shown."""

    @property
    def changes(self) -> bool:
        return self.formatted is not None and self.formatted != self.text


def _formatted(name: str) -> _Formatted:
    text = _text(name)
    try:
        return _Formatted(name, text, language.format_text(text))
    except language.Unreadable as unreadable:
        show(unreadable.diagnostics, text, _shown(name))
        say(f"{_shown(name)}: left as it is: {unreadable}", "red", err=True)
        return _Formatted(name, text, None)


def _difference(one: _Formatted) -> str:
    before, after = one.text.splitlines(keepends=True), (one.formatted or "").splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, one.name, f"{one.name} (formatted)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@click.command(no_args_is_help=True)
@click.argument("file", metavar="FILE|NAME")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--flow", "name", help="Which flow (or flow_run with steps), where the file has several.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@remote
def graph(*, file: str, form: str, name: str | None, output: Path | None, client: Client, as_json: bool) -> None:
    """Draw the state diagram of a flow in FILE; or of the flow or run NAME that the server knows.

    \b
    fsl graph release.fsl
    fsl graph orders.fsl --flow order --format svg -o order.svg
    fsl graph orders.fsl --flow order --format mermaid
    fsl graph my_flow_run --format svg -o run.svg
    """
    form = "json" if as_json else form
    if file == "-" or Path(file).exists():
        text = _drawn(diagrams.graph_of(_flow(_checked([file]), name)), form)
    else:
        text = client.diagram(file, "mermaid" if form == "text" else form)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def _drawn(drawn: diagrams.Graph, form: str) -> str:
    match form:
        case "json":
            return diagrams.as_text(drawn)
        case "mermaid":
            return diagrams.mermaid(drawn)
        case "dot":
            return diagrams.dot(drawn)
        case "svg":
            return diagrams.svg(drawn)
        case _:
            return diagrams.listing(drawn)


@click.command("explain", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--flow", "name", help="Which flow (or flow_run with steps), where the files have several.")
@json_option
def explain_(*, files: Sequence[str], name: str | None, as_json: bool) -> None:
    """Say for every step which deadline, heartbeat and retry hold, who said so, and where TIMEOUT and ERROR lead.

    \b
    fsl explain release.fsl
    fsl explain actions.fsl flows.fsl --flow order
    """
    values = _checked(files)
    actions = {value.name: value for value in values if isinstance(value, Action)}
    rows = explain(_flow(values, name), actions)
    if as_json:
        put([dataclasses.asdict(row) for row in rows])
        return
    show_rows(rows)


@click.command("export", no_args_is_help=True)
@click.argument("files", nargs=-1, required=True)
@click.option("--name", help="Only the definitions of this name.")
def export(*, files: Sequence[str], name: str | None) -> None:
    """Print checked definitions as JSON: the one called NAME, or all in a list. `fsl schema` describes it.

    \b
    fsl export release.fsl --name ci
    fsl export actions.fsl flows.fsl > all.json
    """
    found = [exported(value) for value in _checked(files) if name in (None, value.name)]
    if not found:
        raise click.ClickException(f"there is no definition {name!r}")
    put(found[0] if name and len(found) == 1 else found)


@click.command("import", no_args_is_help=True)
@click.argument("file", type=click.File("rb"))
def import_(*, file: BinaryIO) -> None:
    """Print the FSL of definitions in JSON, as `fsl export` writes them. `-` is standard input.

    \b
    fsl import all.json > all.fsl
    """
    try:
        click.echo("/\n".join(language.to_fsl(value) for value in imported(file.read())), nl=False)
    except language.Unreadable as exc:
        raise click.ClickException(f"no FSL means this: {exc.diagnostics[0].message}") from exc
    except EchoerError as exc:
        raise click.ClickException(str(exc)) from exc


@click.command()
def schema() -> None:
    """Print the JSON Schema of exported definitions.

    \b
    fsl schema > definition.schema.json
    """
    click.echo(schema_text(), nl=False)


@click.command()
def lsp() -> None:
    """Serve an editor: the language server of FSL, on standard input and output.

    \b
    fsl lsp                          what an editor starts; fsl/editors says how to tell it
    """
    from fsl.lsp.server import serve

    serve()


def _text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode("utf-8")
    except OSError as exc:
        raise click.BadParameter(f"{name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise click.ClickException(f"{name} is not UTF-8: {exc.reason} at byte {exc.start}") from exc


def _shown(name: str) -> str:
    return "stdin" if name == STDIN else name


def _checked(files: Sequence[str]) -> list[Definition]:
    """The definitions of all files. Where there are errors they are shown, and it ends with 1."""
    texts = [(name, _text(name)) for name in files]
    sources = [Source(_shown(name), text, *language.parse(text)) for name, text in texts]
    values: list[Definition] = []
    failed = False
    for source, checked in read_all(sources):
        errors = [one for one in (*source.syntax, *checked.diagnostics) if one.severity == "error"]
        show(errors, source.text, source.name)
        failed = failed or bool(errors)
        values += (statement.value for statement in checked.statements)
    if failed:
        raise click.exceptions.Exit(1)
    return values


def _flow(values: Sequence[Definition], name: str | None) -> Flow:
    """The flow of that name, or the only one."""
    flows = {value.name: value for value in values if isinstance(value, Flow)}
    flows = {one.name: one.steps for one in values if isinstance(one, FlowRun) and one.steps} | flows
    if name is None and len(flows) == 1:
        return next(iter(flows.values()))
    if name is None or name not in flows:
        known = ", ".join(flows) or "none"
        wanted = "say which: --flow NAME" if name is None else f"there is no flow {name!r}"
        raise click.UsageError(f"{wanted} ({known})")
    return flows[name]


COMMANDS: Final = (fmt, graph, explain_, export, import_, schema, lsp)
