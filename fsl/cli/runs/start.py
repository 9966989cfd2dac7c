"""`fsl run`: start a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from fsl.cli.common import Json, put, say, write
from fsl.cli.remote import remote
from fsl.cli.runs.follow import follow_to_end
from fsl.client import Client


@click.command(no_args_is_help=True)
@click.argument("flow")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input of the run; may be repeated."
)
@click.option("--name", metavar="NAME", help="Name of the run; by default the server chooses one.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label of the run; may be repeated.")
@click.option("--key", metavar="KEY", help="Idempotency key: within 24 h the same key returns the same run.")
@click.option("--watch", "follow", is_flag=True, help="Show the transitions until the run ends, as `fsl watch` does.")
@remote
@click.pass_context
def run(
    ctx: click.Context, *, flow: str, inputs: Sequence[str], name: str | None, labels: Sequence[str], key: str | None,
    follow: bool, client: Client, as_json: bool,
) -> None:  # fmt: skip
    """Start a run of a flow.

    A value V that is valid JSON is passed as JSON, any other value as text: amount=12.5, name=anna, zip='"01234"'.

    \b
    fsl run order --input order_id=o-7 --input amount=12.5
    fsl run order --input '{"order_id": "o-7"}' --label team=payments --watch
    fsl run order --input @order.json --key o-7
    """
    request: dict[str, Json] = {"input": input_of(inputs)}
    request |= {"labels": dict(_pair(label, "--label") for label in labels)} if labels else {}
    request |= {field: value for field, value in (("name", name), ("key", key)) if value is not None}
    started = client.start(flow, request)
    run_name = started["metadata"]["name"]
    if follow:
        if not as_json:
            say(f"run {run_name}")
        ctx.exit(follow_to_end(client, run_name, 0, as_json=as_json))
    if as_json:
        put(started)
    else:
        write(run_name)


def input_of(given: Sequence[str]) -> dict[str, Json]:
    """Return the input that the values of --input define together; later values take precedence."""
    found: dict[str, Json] = {}
    for text in given:
        if text.startswith("@"):
            found |= _object(_content(text[1:]), text)
        elif text.lstrip().startswith("{"):
            found |= _object(text, "--input")
        else:
            name, value = _pair(text, "--input")
            try:
                found[name] = json.loads(value)
            except ValueError:
                found[name] = value
    return found


def _content(path: str) -> str:
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.BadParameter(f"cannot read {path}: {exc}") from exc


def _object(text: str, where: str) -> dict[str, Json]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"{where} is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise click.BadParameter(f"{where} must be a JSON object, not {type(value).__name__}")
    return value


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{option} must have the form K=V, not {text!r}")
    return name, value
