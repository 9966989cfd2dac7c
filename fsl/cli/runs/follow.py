"""`fsl history` and `fsl watch`: the transitions of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from fsl.cli.common import Cell, Styled, exact_time, put, put_line, say, styled, table, time_of_day
from fsl.cli.many.archive_file import read
from fsl.cli.remote import remote
from fsl.client import Client, Resource
from fsl.transition_text import place, transition

MAX_DATA_CHARACTERS: Final = 80
"""Characters of the data of an entry in a table; `--json` shows all of it."""


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN", required=False)
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read an archive (`fsl archive`) instead of asking a server; without RUN, list the runs in it.",
)
@remote
def history(*, name: str | None, path: Path | None, client: Client, as_json: bool) -> None:
    """Show all transitions of a run.

    Each has the step that it left, the step that it led to, the state, who caused it, and the error or the data that
    came with it. Tokens of branches, items and undos are named.

    \b
    fsl history my_flow_run
    fsl history my_flow_run --file runs.jsonl
    """
    if path is not None and name is None:
        _list_archive(path, as_json=as_json)
        return
    if name is None:
        raise click.UsageError("name a run")
    entries = list(client.whole_history(name)) if path is None else _archived(path, name)
    if as_json:
        put(entries)
        return
    with_tokens = any(map(place, entries))
    columns = ("seq", "at", *(["in"] if with_tokens else []), "from", "to", "event", "state", "by", "error or data")
    table(columns, [_row(one, with_token=with_tokens) for one in entries])


def _row(entry: Resource, *, with_token: bool) -> tuple[Cell, ...]:
    """Return an entry as a row: the beginning of its data, or its error."""
    data = "" if entry["data"] is None else entry["data"]
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    shown = text if len(text) <= MAX_DATA_CHARACTERS else f"{text[: MAX_DATA_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    return (
        str(entry["seq"]),
        exact_time(entry["at"]),
        *([place(entry)] if with_token else []),
        entry["from"] or entry["step"],
        entry["to"],
        entry["event"],
        entry["state"],
        entry["by"],
        Styled(entry["error"], "red") if entry["error"] else shown,
    )


def _archived(path: Path, name: str) -> list[Resource]:
    """Return the transitions of the run in an archive; of the one that was saved last, if there are several."""
    found = [one.entries for one in read(path) if one.name == name]
    if not found:
        raise click.ClickException(f"{path} has no run {name!r}")
    return found[-1]


def _list_archive(path: Path, *, as_json: bool) -> None:
    runs = [one.run for one in read(path)]
    if as_json:
        put(runs)
        return
    rows = [
        (
            run["metadata"]["name"],
            run["spec"]["flow"],
            styled(run["spec"]["status"]),
            exact_time(run["spec"]["ended_at"]),
        )
        for run in runs
    ]
    table(("run", "flow", "status", "ended"), rows)


@click.command()
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--flow", metavar="NAME", help="Follow the runs of this flow.")
@click.option("--after", type=click.IntRange(0), default=0, help="Start after the transition with this number.")
@remote
@click.pass_context
def watch(ctx: click.Context, *, name: str | None, flow: str | None, after: int, client: Client, as_json: bool) -> None:
    """Follow a run, the runs of a flow, or all runs.

    With a RUN, the command starts with its first transition and ends when the run ends; the exit code is 0 if the run
    succeeded, and 1 if it failed or was stopped. Without one, the command shows what happens from now on until it is
    interrupted. With --json, each transition is a JSON object on a line of its own.

    \b
    fsl watch my_flow_run
    fsl watch --flow order
    fsl watch --json | jq -r '[.run, .to] | @tsv'
    """
    if name is not None:
        if flow is not None:
            raise click.UsageError("RUN and --flow exclude each other")
        ctx.exit(follow_to_end(client, name, after, as_json=as_json))
    if after:
        raise click.UsageError("--after needs a RUN")
    from fsl.changes import transitions

    for run, entries in transitions(client, flow):
        _show_changes(run, entries, as_json=as_json)


def _show_changes(run: Resource, entries: list[Resource], *, as_json: bool) -> None:
    """Print the new transitions of one of several runs, and how it ended."""
    name, spec = run["metadata"]["name"], run["spec"]
    for entry in entries:
        if as_json:
            put_line({"run": name, **entry})
        else:
            say(f"{time_of_day(entry['at'])}  {name}: {transition(entry)}")
    if spec["ended_at"] is not None and entries[-1]["seq"] >= spec["seq"] and not as_json:
        say(*_end(name, spec))


def follow_to_end(client: Client, run: str, after: int, *, as_json: bool) -> int:
    """Print the transitions of a run until it ends, and return the exit code."""
    for entry in client.watch(run, after):
        if as_json:
            put_line(entry)
        else:
            say(f"{time_of_day(entry['at'])}  {transition(entry)}")
    spec = client.get("flowrun", run)["spec"]
    if not as_json:
        say(*_end(run, spec))
    return 0 if spec["status"] == "succeeded" else 1


def _end(run: str, spec: Resource) -> tuple[str, str]:
    """Return a line that says how the run ended, and its style."""
    reason = f": {spec['last_err']}" if spec["last_err"] else ""
    return f"{run} {spec['status']}{reason}", "green" if spec["status"] == "succeeded" else "red"
