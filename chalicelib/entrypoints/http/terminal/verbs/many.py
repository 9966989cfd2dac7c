"""Commands over many runs, and what hooks have delivered."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.terminal import tables
from chalicelib.entrypoints.http.terminal.arguments import ask, pairs_of
from chalicelib.entrypoints.http.terminal.output import NOTHING, Output, OutputKind, Usage, raw
from chalicelib.entrypoints.http.terminal.verbs.reading import MAX_ROWS
from chalicelib.entrypoints.http.views import batches, definitions
from chalicelib.model.json_values import Json

_CHANGES: Final = {"stop": batches.stop, "continue": batches.resume}
_COLUMNS = ("id", "do", "status", "matched", "done", "would", "refused", "missing", "busy", "left")


def batch(
    request: Request,
    what: str = "",
    batch_id: str = "",
    *,
    status: str = "",
    flow: str = "",
    label: tuple[str, ...] = (),
    since: str = "",
    until: str = "",
    version: str = "",
    error: str = "",
    parent: str = "",
    name_prefix: str = "",
    undo: str = "",
    waiting_for: str = "",
    arg: tuple[str, ...] = (),
    rate: str = "",
    dry_run: bool = False,
) -> Output:
    """batch [ID] | stop ID | continue ID | COMMAND [--flow NAME] [--status STATUS] [--arg NAME=VALUE] [--dry-run]

    Give a COMMAND (retry, pause, continue, stop, delete, migrate, signal) to many runs, in the background, and print
    its batch. The filters are those of `list flowrun`; --arg sets a field of the command, --rate how many runs per
    second it is given to. Without a COMMAND, list the batches, or show one.
    """
    select: dict[str, Json] = {
        "status": status,
        "flow": flow,
        "label": [text.replace("=", ":", 1) for text in label],
        "since": since,
        "until": until,
        "version": version,
        "error": error,
        "parent": parent,
        "name_prefix": name_prefix,
        "undo": undo,
        "waiting_for": waiting_for,
    }
    select = {name: value for name, value in select.items() if value}
    if what in _CHANGES and batch_id:
        return _shown(ask(request, _CHANGES[what], batch_id=batch_id, body={}))
    if batch_id:
        raise Usage("wrong number of arguments; usage: batch [ID] | stop ID | continue ID | COMMAND [--flow NAME]")
    if select:
        body: dict[str, Json] = {"do": what, "select": select, "with": pairs_of(arg), "dry_run": dry_run}
        body |= {"rate": _rate(rate)} if rate else {}
        return Output(OutputKind.OK, ask(request, batches.create, body=body)["id"])
    if what:
        return _shown(ask(request, batches.get, batch_id=what, query={"limit": str(MAX_ROWS)}))
    found = ask(request, batches.list_batches, query={"limit": str(MAX_ROWS)})
    return raw(tables.fields(_COLUMNS, found)) if found else NOTHING


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Usage(f"--rate must be a number of runs per second, not {text!r:.60}") from None


def _shown(found: Json) -> Output:
    """Return a batch, and the runs to which the command was not given."""
    rows = [one for one in found["results"] if one["reason"]]
    failures = [tables.fields(("run", "outcome", "reason"), rows)] if rows else []
    return raw("\n".join([tables.fields(_COLUMNS, [found]), *failures]))


def deliveries(request: Request, hook: str) -> Output:
    """deliveries HOOK

    List the last deliveries of a hook, newest first.
    """
    found = ask(request, definitions.hook_deliveries, name=hook)
    columns = ("at", "event", "run", "outcome", "status", "error")
    return raw(tables.fields(columns, found)) if found else NOTHING
