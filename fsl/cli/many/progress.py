"""Give a command to many runs: ask, follow the batch, and report what was refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from fsl import api_calls
from fsl.cli.common import Json, put, say, styled, table
from fsl.client import Client, Resource

FAILURES: Final = "refused,missing,busy"
POLL_S: Final = 0.3
MAX_SHOWN_FAILURES: Final = 20
"""How many failures are printed; `--json` prints all."""

_ENDED: Final = ("done", "stopped")


def command_many(
    client: Client,
    command: str,
    args: Mapping[str, Json],
    select: dict[str, Json],
    given: Mapping[str, Any],
    *,
    as_json: bool,
) -> int:
    """Give the command to the runs that `select` finds, and return the exit code: 1 if any run was not commanded.

    `given` has the options `yes`, `dry_run` and `rate`.
    """
    trial = None
    if given["dry_run"] or not given["yes"]:
        trial = follow(client, create(client, command, args, select, dry_run=True), quiet=as_json)
    if given["dry_run"] and trial is not None:
        return report(client, trial, as_json=as_json)
    if trial is not None:
        if not _agreed(command, trial):
            return 1
        select = {"until": trial["created_at"], **select}  # what matches since then was not agreed to
    batch = create(client, command, args, select, rate=given["rate"])
    return report(client, follow(client, batch, quiet=as_json), as_json=as_json)


def create(
    client: Client,
    command: str,
    args: Mapping[str, Json],
    select: Mapping[str, Json],
    *,
    dry_run: bool = False,
    rate: float | None = None,
) -> Resource:
    """Create a batch."""
    body: dict[str, Json] = {"do": command, "with": dict(args), "select": dict(select), "dry_run": dry_run}
    found: Resource = client.call(api_calls.POST_BATCH, json={**body, **({"rate": rate} if rate else {})}).json()
    return found


def get(client: Client, batch_id: str, **query: str) -> Resource:
    """Return a batch with a page of its results."""
    found: Resource = client.call(api_calls.GET_BATCH_BATCH_ID, batch_id, query=query).json()
    return found


def follow(client: Client, batch: Resource, *, quiet: bool) -> Resource:
    """Return the batch once it has ended, and show its progress. When it is interrupted, the batch goes on."""
    try:
        return _until_it_ends(client, batch, quiet=quiet)
    except KeyboardInterrupt:
        say(
            f"batch {batch['id']} goes on: `fsl batch watch {batch['id']}` follows it, "
            f"`fsl batch stop {batch['id']}` stops it",
            err=True,
        )
        raise click.Abort from None


def _until_it_ends(client: Client, batch: Resource, *, quiet: bool) -> Resource:
    """Return the batch once it has ended. On a terminal a bar shows how far it is."""
    if quiet or not sys.stderr.isatty():
        while batch["status"] not in _ENDED:
            batch = _next(client, batch)
        return batch
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[counts]}"))
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task(("would " if batch["dry_run"] else "") + batch["do"], total=None, counts="")
        while True:
            done = batch["matched"] - batch["left"]
            bar.update(task, completed=done, total=batch["matched"], counts=_counts(batch))
            if batch["status"] in _ENDED:
                return batch
            batch = _next(client, batch)


def _next(client: Client, batch: Resource) -> Resource:
    time.sleep(POLL_S)
    return get(client, batch["id"], limit="1")


def _counts(batch: Resource) -> str:
    words = ("done", "would", "refused", "missing", "busy")
    return ", ".join(f"{batch[word]} {word}" for word in words if batch[word])


def failures(client: Client, batch: Resource) -> Iterator[Resource]:
    """Yield every run that was not commanded, and why."""
    cursor: str | None = None
    if not batch["refused"] + batch["missing"] + batch["busy"]:
        return
    while True:
        query = {"outcome": FAILURES, "limit": "1000", **({"cursor": cursor} if cursor else {})}
        response = client.call(api_calls.GET_BATCH_BATCH_ID, batch["id"], query=query)
        yield from response.json()["results"]
        cursor = response.headers.get("x-next-cursor")
        if not cursor:
            return


def report(client: Client, batch: Resource, *, as_json: bool) -> int:
    """Print what became of the runs, and return the exit code: 1 if any was not commanded."""
    failed = (
        batch["refused"] + batch["missing"] + batch["busy"] + (batch["left"] if batch["status"] == "stopped" else 0)
    )
    if as_json:
        put({**batch, "results": list(failures(client, batch))})
        return 1 if failed else 0
    say(f"{batch['matched']} runs matched: {_counts(batch) or 'nothing to do'}")
    if batch["status"] == "stopped":
        say(f"the batch was stopped; {batch['left']} runs were left as they were", "yellow")
    shown = []
    for number, one in enumerate(failures(client, batch)):
        if number == MAX_SHOWN_FAILURES:
            say(f"the first {MAX_SHOWN_FAILURES} of those that were not commanded; --json prints all", "dim")
            break
        shown.append((one["run"], styled(one["outcome"]), one["reason"]))
    if shown:
        table(("run", "outcome", "reason"), shown)
    return 1 if failed else 0


def _agreed(command: str, trial: Resource) -> bool:
    """Ask whether so many runs are to be commanded."""
    count = trial["would"]
    refused = trial["matched"] - count
    if not count:
        say(f"no run would {command}" + (f"; {refused} would be refused" if refused else ""), err=True)
        return False
    if not sys.stdin.isatty():
        raise click.UsageError(f"{count} runs would {command}, and nobody can confirm it here: use --yes")
    others = f" ({refused} others would be refused)" if refused else ""
    click.confirm(f"{command} {count} runs{others}?", abort=True, err=True)
    return True
