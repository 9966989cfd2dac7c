"""`fsl vars` and `fsl label`: the variables and labels of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click

from fsl import api_calls
from fsl.cli.common import Json, put, table
from fsl.cli.remote import remote
from fsl.cli.values import object_of, pair_of, value_of
from fsl.client import Client


@click.command(name="vars", no_args_is_help=True)
@click.argument("run")
@click.argument("values", nargs=-1, metavar="[K=V|JSON]...")
@click.option("--remove", metavar="NAME", multiple=True, help="Remove this variable; may be repeated.")
@remote
def vars_(*, run: str, values: Sequence[str], remove: Sequence[str], client: Client, as_json: bool) -> None:
    """Show, set and remove the variables of a run.

    A value that is valid JSON is set as JSON, any other as text. A step that waits for a condition checks it at once.

    \b
    fsl vars my_flow_run
    fsl vars my_flow_run approved=true comment="by phone"
    fsl vars my_flow_run '{"address": {"city": "Kiel"}}' --remove draft
    """
    if values or remove:
        body = {"vars": _values(values), "remove": list(remove)}
        found = client.call(api_calls.POST_FLOWRUN_NAME_VARS, run, json=body).json()
    else:
        found = client.get("flowrun", run)
    _show("variable", found["spec"]["global_variable"] or {}, as_json=as_json)


@click.command(no_args_is_help=True)
@click.argument("run")
@click.argument("values", nargs=-1, metavar="[K=V]...")
@click.option("--remove", metavar="NAME", multiple=True, help="Remove this label; may be repeated.")
@remote
def label(*, run: str, values: Sequence[str], remove: Sequence[str], client: Client, as_json: bool) -> None:
    """Show, set and remove the labels of a run.

    A value that is valid JSON is set as JSON, any other as text. `fsl list --label K=V` finds the run.

    \b
    fsl label my_flow_run
    fsl label my_flow_run ticket=OPS-12 looked_at=true --remove urgent
    """
    if values or remove:
        body = {"set": {name: value_of(value) for name, value in map(_pair, values)}, "remove": list(remove)}
        found = client.call(api_calls.POST_FLOWRUN_NAME_LABELS, run, json=body).json()
    else:
        found = client.get("flowrun", run)
    _show("label", found["metadata"]["labels"] or {}, as_json=as_json)


def _pair(text: str) -> tuple[str, str]:
    return pair_of(text, "the argument")


def _values(given: Sequence[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for text in given:
        if text.lstrip().startswith("{"):
            found |= object_of(text, "the argument")
        else:
            name, value = _pair(text)
            found[name] = value_of(value)
    return found


def _show(what: str, values: Mapping[str, Json], *, as_json: bool) -> None:
    """Print names and values."""
    if as_json:
        put(values)
    else:
        rows = [
            (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in values.items()
        ]
        table((what, "value"), rows)
