"""`fsl export --asl`: a flow as a machine of AWS Step Functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.asl.export import export, placed
from chalicelib.asl.problems import has_errors
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from chalicelib.model.statements import Config
from fsl import api_calls
from fsl.cli.common import put, say, write_document
from fsl.cli.documents.files import STDIN, read_checked
from fsl.client import Client, Refused

_STYLES: Final = {"error": "red", "warning": "yellow", "note": "dim"}


def export_machine(
    files: Sequence[str], name: str | None, output: Path | None, client: Client, *, as_json: bool
) -> None:
    """Print the machine of a flow, or write it to a file; its problems go to standard error.

    `as_json`: print an object with the machine (`asl`, null if there is none) and the `problems`.

    `files`: files with FSL, or the name of one flow of the server. Exits with 1 if something cannot be expressed.
    """
    if len(files) == 1 and files[0] != STDIN and not Path(files[0]).exists():
        machine, problems = _of_server(files[0], client)
    else:
        machine, problems = _of_files(files, name)
    if as_json:
        put({"asl": machine, "problems": problems})
    for problem in () if as_json else problems:
        place = f"{problem['source']}:{problem['line']}"
        say(f"{place}: {problem['level']}: {problem['message']}", _STYLES[problem["level"]], err=True)
    if machine is None:
        raise click.exceptions.Exit(1)
    if as_json and not output:
        return
    text = json.dumps(machine, indent=2, ensure_ascii=False) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        write_document(text)


_Problems = list[dict[str, Any]]


def _of_server(name: str, client: Client) -> tuple[Mapping[str, Any] | None, _Problems]:
    try:
        found = client.call(api_calls.GET_FLOW_NAME_ASL, name).json()
    except Refused as refusal:
        if "problems" not in refusal.answer:
            raise
        return None, [{**one, "source": name} for one in refusal.answer["problems"]]
    return found["asl"], [{**one, "source": name} for one in found["problems"]]


def _of_files(files: Sequence[str], name: str | None) -> tuple[Mapping[str, Any] | None, _Problems]:
    checked = read_checked(files)
    values = [one.value for _, found in checked for one in found.statements]
    flows = [value for value in values if isinstance(value, Flow) and name in (None, value.name)]
    if len(flows) != 1:
        known = ", ".join(value.name for value in values if isinstance(value, Flow)) or "none"
        raise click.UsageError(f"choose a flow with --name NAME; the files define: {known}")
    (flow,) = flows
    actions = {value.name: value for value in values if isinstance(value, Action)}
    config = {value.name: value.value for value in values if isinstance(value, Config)}
    exported = export(flow, actions, config=config)
    source = next(source for source, found in checked if any(one.value is flow for one in found.statements))
    problems: _Problems = [
        {"source": source.name, "line": one.line, "level": str(one.problem.level), "message": one.problem.message}
        for one in placed(exported.problems, flow, source.text)
    ]
    return (None if has_errors(exported.problems) else exported.machine), problems
