"""`fsl run`, `history`, `watch`, and a person's orders to runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from fsl.cli.common import put, remote, say, styled, table
from fsl.client import Client, Json, Resource
from fsl.transition_text import transition


@click.command(no_args_is_help=True)
@click.argument("flow")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input; may be given repeatedly."
)
@click.option("--name", metavar="NAME", help="The run's name; one is made up if none is given.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="A label; may be given repeatedly.")
@click.option("--key", metavar="KEY", help="Asking again with the same key within 24 h gives the same run back.")
@click.option("--watch", "follow", is_flag=True, help="Follow it until it ends, as `fsl watch` does.")
@remote
@click.pass_context
def run(
    ctx: click.Context,
    *,
    flow: str,
    inputs: Sequence[str],
    name: str | None,
    labels: Sequence[str],
    key: str | None,
    follow: bool,
    client: Client,
    as_json: bool,
) -> None:
    """Start a run of a flow.

    A value V is JSON if it can be read as such, else text: amount=12.5, name=anna, zip='"01234"'.

    \b
    fsl run order --input order_id=o-7 --input amount=12.5
    fsl run order --input '{"order_id": "o-7"}' --label team=payments --watch
    fsl run order --input @order.json --key o-7
    """
    order: dict[str, Json] = {"input": input_of(inputs)}
    order |= {"labels": dict(_pair(label, "--label") for label in labels)} if labels else {}
    order |= {field: said for field, said in (("name", name), ("key", key)) if said is not None}
    started = client.start(flow, order)
    named = started["metadata"]["name"]
    if follow:
        if not as_json:
            say(f"run {named}")
        ctx.exit(follow_to_end(client, named, 0, as_json=as_json))
    if as_json:
        put(started)
    else:
        click.echo(named)


def input_of(given: Sequence[str]) -> dict[str, Json]:
    """The input that the values of --input make together; later ones win."""
    made: dict[str, Json] = {}
    for text in given:
        if text.startswith("@"):
            made |= _object(_content(text[1:]), text)
        elif text.lstrip().startswith("{"):
            made |= _object(text, "--input")
        else:
            name, value = _pair(text, "--input")
            try:
                made[name] = json.loads(value)
            except ValueError:
                made[name] = value
    return made


def _content(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.BadParameter(f"cannot read {path}: {exc}") from exc


def _object(text: str, where: str) -> dict[str, Json]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"{where} holds no JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise click.BadParameter(f"{where} holds JSON that is no object")
    return value


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{option} takes K=V, not {text!r}")
    return name, value


# ── following ────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@remote
def history(*, name: str, client: Client, as_json: bool) -> None:
    """Show every transition of a run.

    \b
    fsl history my_flow_run
    """
    entries = client.history(name)
    if as_json:
        put(entries)
        return
    rows = [
        (str(one["seq"]), str(one["at"]), one["from"] or one["step"], one["to"], one["event"], one["state"], _why(one))
        for one in entries
    ]
    table(("seq", "at", "from", "to", "event", "state", "by"), rows)


def _why(entry: Resource) -> str:
    return f"{entry['by']}: {entry['error']}" if entry.get("error") else str(entry["by"])


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--after", type=click.IntRange(0), default=0, help="Begin behind that transition.")
@remote
@click.pass_context
def watch(ctx: click.Context, *, name: str, after: int, client: Client, as_json: bool) -> None:
    """Follow a run: each transition as it happens, until the run ends.

    Exits with 0 if the run succeeded, 1 if it failed or was stopped. With --json: one object on a line.

    \b
    fsl watch my_flow_run
    fsl watch my_flow_run --json | jq .to
    """
    ctx.exit(follow_to_end(client, name, after, as_json=as_json))


def follow_to_end(client: Client, run: str, after: int, *, as_json: bool) -> int:
    """The run has ended, each of its transitions was told; the exit code that says how."""
    for entry in client.watch(run, after):
        if as_json:
            click.echo(json.dumps(entry, ensure_ascii=False))
        else:
            _tell(entry)
    spec = client.get("flowrun", run)["spec"]
    if not as_json:
        why = f": {spec['last_err']}" if spec["last_err"] else ""
        say(f"{run} {spec['status']}{why}", "green" if spec["status"] == "succeeded" else "red")
    return 0 if spec["status"] == "succeeded" else 1


def _tell(entry: Resource) -> None:
    time = str(entry["at"]).partition("T")[2].rstrip("Z")
    say(f"{time}  {transition(entry)}")


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(client: Client, run: str, order: str, said: dict[str, Json], *, as_json: bool) -> None:
    found = client.order(run, order, said)
    if as_json:
        put(found)
        return
    spec = found["spec"]
    table(("run", "status", "state"), [(run, styled(spec["status"]), spec["current_state"])])


def _order(order: str, text: str) -> click.Command:
    """A command that only says one word to a run."""

    def tell(*, name: str, client: Client, as_json: bool) -> None:
        _told(client, name, order, {}, as_json=as_json)

    tell.__doc__ = f"{text}\n\n    \b\n    fsl {order} my_flow_run\n    "
    made: Callable[..., None] = click.argument("name", metavar="RUN")(remote(tell))
    return click.command(name=order, no_args_is_help=True)(made)


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--reason", default="", help="Why; it is kept as the run's last error.")
@remote
def stop(*, name: str, reason: str, client: Client, as_json: bool) -> None:
    """Stop a run: it is canceled, whatever still answers.

    \b
    fsl stop my_flow_run --reason "wrong version"
    """
    _told(client, name, "stop", {"reason": reason} if reason else {}, as_json=as_json)


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--step", metavar="STEP", help="Where to go on; where it stood if not said.")
@remote
def retry(*, name: str, step: str | None, client: Client, as_json: bool) -> None:
    """Take up a run that failed or was stopped, at the step where it stood, or at another.

    \b
    fsl retry my_flow_run
    fsl retry my_flow_run --step Build
    """
    _told(client, name, "retry", {"step": step} if step else {}, as_json=as_json)


COMMANDS: Final = (
    run,
    history,
    watch,
    _order("pause", "Pause a run: it sends nothing until it is continued."),
    _order("continue", "Let a paused run go on."),
    stop,
    retry,
)
