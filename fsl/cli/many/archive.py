"""`fsl archive`: save ended runs to a file, and delete them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final

import click

from chalicelib.model.times import duration
from fsl import api_calls
from fsl.cli.common import Json, put, say
from fsl.cli.many.archive_file import ArchiveFile
from fsl.cli.many.progress import create, failures, follow
from fsl.cli.remote import remote
from fsl.client import Client, Refused, Resource

ENDED: Final = "succeeded,failed,canceled"
DELETED_AT_ONCE: Final = 100
"""How many runs are written to the disk, and then deleted, at a time."""

DELETED_PER_S: Final = 200.0
PART_ITEMS: Final = 10_000
"""How many items or characters are read at a time of a value that is too large for one response."""


def _older(_ctx: click.Context, _option: click.Parameter, text: str) -> datetime:
    milliseconds = duration(text)
    if milliseconds is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90d or 12h")
    try:
        return datetime.now(UTC) - timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise click.BadParameter(f"{text} is too long ago") from exc


@click.command(no_args_is_help=True)
@click.option("--older", required=True, callback=_older, metavar="DURATION", help="Runs that ended so long ago: 90d.")
@click.option(
    "--to", "path", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="The file to write, or to go on with.",
)  # fmt: skip
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option("--keep", is_flag=True, help="Do not delete the runs.")
@remote
def archive(*, older: datetime, path: Path, flow: str | None, keep: bool, client: Client, as_json: bool) -> None:
    """Save ended runs to a file, and delete them.

    A run is saved as JSON lines with its whole history and all values; secrets are masked. Runs are deleted only after
    the file is safely on the disk. When the command is interrupted, the same command goes on where it ended.

    \b
    fsl archive --older 90d --to runs.jsonl
    fsl history my_flow_run --file runs.jsonl
    """
    file = ArchiveFile(path)
    saved = deleted = 0
    waiting: list[Resource] = []
    try:
        for run in _ended(client, older, flow):
            saved += _save(client, file, run)
            waiting.append(run)
            if len(waiting) == DELETED_AT_ONCE:
                deleted += _finish(client, file, waiting, keep=keep)
                waiting = []
        deleted += _finish(client, file, waiting, keep=keep)
    finally:
        file.close()
    if as_json:
        put({"file": str(path), "saved": saved, "deleted": deleted, "runs": len(file.known)})
    else:
        say(f"{saved} runs were saved to {path}, which has {len(file.known)}; {deleted} were deleted")


def _ended(client: Client, older: datetime, flow: str | None) -> Iterator[Resource]:
    """Yield the runs that ended before that time, in brief."""
    until = older.isoformat(timespec="milliseconds")
    query = {"status": ENDED, "until": until, "view": "summary", "limit": "200", **({"flow": flow} if flow else {})}
    for run in client.every("flowrun", **query):
        ended_at = run["spec"]["ended_at"]
        if ended_at is not None and datetime.fromisoformat(ended_at) <= older:
            yield run


def _save(client: Client, file: ArchiveFile, brief: Resource) -> int:
    """Add the run to the file, unless it is there as it is now. Return how many runs were added."""
    name, uuid = str(brief["metadata"]["name"]), str(brief["metadata"]["uuid"])
    if file.known.get(uuid) == brief["spec"]["seq"]:
        return 0
    try:
        run = client.call(api_calls.GET_FLOWRUN_NAME, name, query={"view": "full"}).json()
        if run["metadata"]["uuid"] != uuid:
            return 0
        file.write(_whole(client, run), (_whole(client, entry) for entry in client.whole_history(name)))
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return 0
        raise
    return 1


def _whole(client: Client, value: Json) -> Json:
    """Return the value with every reference to a large value replaced by that value."""
    if isinstance(value, list):
        return [_whole(client, one) for one in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and "/value/" in reference and value.keys() <= {"$ref", "bytes", "preview"}:
        _, _, name, _, key = reference.split("/", 4)
        return _referred(client, name, key)
    return {field: _whole(client, one) for field, one in value.items()}


def _referred(client: Client, name: str, key: str) -> Json:
    """Return a large value of a run, in parts if it is too large for one response."""
    try:
        return client.call(api_calls.GET_FLOWRUN_NAME_VALUE_KEY, name, key).json()
    except Refused as refused:
        if refused.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
    found: Json = None
    first = 0
    while True:
        query = {"from": str(first), "count": str(PART_ITEMS)}
        part = client.call(api_calls.GET_FLOWRUN_NAME_VALUE_KEY, name, key, query=query).json()
        if not part:
            return found
        found = part if found is None else {**found, **part} if isinstance(part, dict) else found + part
        first += PART_ITEMS


def _finish(client: Client, file: ArchiveFile, runs: list[Resource], *, keep: bool) -> int:
    """Write the file to the disk, then delete the runs that are in it as they are now. Return how many were deleted."""
    file.flush()
    names = [str(run["metadata"]["name"]) for run in runs if _is_saved(client, file, run)] if not keep else []
    if not names:
        return 0
    batch = follow(client, create(client, "delete", {}, {"names": names}, rate=DELETED_PER_S), quiet=True)
    for one in failures(client, batch):
        say(f"run {one['run']} was not deleted: {one['reason'] or one['outcome']}", "yellow", err=True)
    return int(batch["done"])


def _is_saved(client: Client, file: ArchiveFile, brief: Resource) -> bool:
    """Return whether the file has the run as it is now: it may have been retried since it was saved."""
    name = str(brief["metadata"]["name"])
    try:
        now = client.call(api_calls.GET_FLOWRUN_NAME, name, query={"view": "summary"}).json()
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return file.known.get(str(now["metadata"]["uuid"])) == int(now["spec"]["seq"])
