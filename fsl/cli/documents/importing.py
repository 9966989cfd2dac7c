"""`fsl import`: machines of Step Functions as FSL, and definitions in JSON as FSL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Final

import click

from chalicelib import language
from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.asl.convert import actions_in, flow_name
from chalicelib.asl.imported import Imported, import_machine
from chalicelib.asl.problems import Level, Problem, has_errors
from chalicelib.model.errors import EchoerError
from fsl.cli.common import json_option, put, say, write_document
from fsl.cli.documents.files import display_name, read_text
from fsl.cli.values import pair_of
from fsl.definition_json import imported
from fsl.importing.files import is_machine, is_template, is_yaml
from fsl.importing.sources import Source, sources_of

_STYLES: Final = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "dim"}
_SEPARATOR: Final = "\n/\n"


@click.command("import", no_args_is_help=True)
@click.argument("files", nargs=-1)
@click.option("--var", "pairs", multiple=True, metavar="NAME=VALUE", help="Fill in ${NAME}. May be repeated.")
@click.option("--from", "template", metavar="TEMPLATE", help="Read a template of SAM or CloudFormation, or CDK output.")
@click.option("--machine", help="Import only the machine with this name or logical id.")
@click.option("--name", help="The name of the flow, instead of that of the machine or its file.")
@click.option("-o", "--output", metavar="FILE|DIR", help="Write to a file, or each machine to NAME.fsl in a folder.")
@click.option("--asl", "is_asl", is_flag=True, help="Read every file as a machine or a template.")
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    files: Sequence[str],
    pairs: Sequence[str],
    template: str | None,
    machine: str | None,
    name: str | None,
    output: str | None,
    is_asl: bool,
    as_json: bool,
) -> None:
    """Print Step Functions machines, or JSON, as FSL.

    FILES are machines in Amazon States Language (JSON or YAML), templates of AWS SAM or CloudFormation, or what `cdk
    synth` writes; `-` is standard input. With --from, values for FILES are those of the template; without FILES, all
    its machines are imported. Definitions in JSON, as `fsl export` prints them, are printed as FSL too.

    Problems are printed on standard error, each with its place. The exit code is 1 if one is an error; the FSL is
    printed all the same.

    \b
    fsl import order.asl.json > order.fsl
    fsl import order.asl.yaml --var OrderTable=orders
    fsl import --from template.yaml --output flows/
    fsl import cdk.out/Shop.template.json --machine Checkout --name checkout
    fsl import all.json > all.fsl
    """
    values = dict(pair_of(pair, "--var") for pair in pairs)
    if not files and template is None:
        raise click.UsageError("give FILES, or --from TEMPLATE")
    texts = {file: read_text(file) for file in files}
    if not (is_asl or template) and (definitions := _definitions(texts)) is not None:
        _write(definitions, output)
        return
    sources = sources_of(files, template, values, lambda file: texts[file] if file in texts else read_text(file))
    chosen = _chosen(sources, machine, name)
    results = _imported(chosen, name, values)
    if as_json:
        put({"ok": not _failed(results), "machines": [_as_json(*result) for result in results]})
    else:
        for level, line in dict.fromkeys(line for result in results for line in _lines(*result)):
            say(line, _STYLES[level], err=True)
    if output is not None or not as_json:
        _write_machines(results, output)
    ctx.exit(1 if _failed(results) else 0)


def _imported(sources: Sequence[Source], name: str | None, values: Mapping[str, str]) -> list[tuple[Source, Imported]]:
    """Return the machines as FSL. They call each other's flows, and share the actions that are the same."""
    names = _distinct([flow_name(name or one.name) for one in sources])
    flows = {key: own for one, own in zip(sources, names, strict=True) for key in (one.name, one.machine)}
    taken: dict[str, str] = {}
    results: list[tuple[Source, Imported]] = []
    for source, own in zip(sources, names, strict=True):
        found = import_machine(
            source.reading,
            own,
            values,
            express=source.express,
            flows=flows,
            taken=taken,
            operations=ALL_OPERATIONS("default"),
        )
        results.append((source, found))
        taken |= actions_in(found.fsl)
    return results


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, each that is there before with a number behind it."""
    found: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        found[next(one for one in chain([name], numbered) if one not in found)] = None
    return list(found)


def _chosen(sources: Sequence[Source], machine: str | None, name: str | None) -> list[Source]:
    found = [source for source in sources if machine in (None, source.machine, source.name)]
    if not found:
        listed = ", ".join(source.machine for source in sources)
        raise click.UsageError(f"there is no machine {machine!r}: there are {listed}")
    if name is not None and len(found) > 1:
        listed = ", ".join(source.machine for source in found)
        raise click.UsageError(f"--name is for one machine: choose one of {listed} with --machine")
    return found


def _failed(results: Iterable[tuple[Source, Imported]]) -> bool:
    return any(has_errors(found.problems) for _, found in results)


# ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(source: Source, found: Imported) -> Iterator[tuple[Level, str]]:
    for problem in found.problems:
        yield problem.level, _line(source.file, source.where, problem)
    for note in source.notes:
        yield note.level, _line(source.template, "", note)


def _line(file: str, where: str, problem: Problem) -> str:
    place = where + problem.pointer
    return f"{display_name(file)}{f':{place}' if place else ''}: {problem.level} {problem.message}"


def _as_json(source: Source, found: Imported) -> dict[str, object]:
    return {
        "file": display_name(source.file),
        "machine": source.machine,
        "name": found.name,
        "fsl": found.fsl,
        "problems": [_problem(source.where, problem) for problem in found.problems],
        "notes": [_problem("", note) for note in source.notes],
    }


def _problem(where: str, problem: Problem) -> dict[str, str]:
    return {"pointer": where + problem.pointer, "level": problem.level.value, "message": problem.message}


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_machines(results: Sequence[tuple[Source, Imported]], output: str | None) -> None:
    if output is not None and (output.endswith("/") or Path(output).is_dir()):
        for _, found in results:
            if found.fsl:
                _write(found.fsl, str(Path(output) / f"{found.name}.fsl"))
        return
    statements = [statement for _, found in results for statement in found.fsl.strip().split(_SEPARATOR) if statement]
    if statements:
        _write(_SEPARATOR.join(dict.fromkeys(statements)) + "\n", output)


def _write(text: str, output: str | None) -> None:
    if output is None:
        write_document(text)
        return
    try:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(text, "utf-8")
    except OSError as problem:
        raise click.ClickException(f"cannot write {output}: {problem.strerror}") from problem
    say(f"wrote {output}", err=True)


# ── definitions in JSON ──────────────────────────────────────────────────────────────────────────────────────────────


def _definitions(texts: dict[str, str]) -> str | None:
    """Return definitions in JSON as FSL; None where one of the files holds something else."""
    if any(".asl" in file or is_yaml(file, text) or _is_aws(text) for file, text in texts.items()):
        return None
    try:
        values = [value for text in texts.values() for value in imported(text)]
        return _SEPARATOR.join(language.to_fsl(value).rstrip("\n") for value in values) + "\n"
    except language.Unreadable as exc:
        raise click.ClickException(f"FSL cannot express this definition: {exc.diagnostics[0].message}") from exc
    except EchoerError as exc:
        raise click.ClickException(str(exc)) from exc


def _is_aws(text: str) -> bool:
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return is_machine(value) or is_template(value)
