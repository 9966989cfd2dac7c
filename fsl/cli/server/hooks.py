"""`fsl hook list`, `show`, `deliveries`: the hooks of a server, and what became of their notifications."""

from __future__ import annotations

import click

from chalicelib.model.times import format_elapsed
from fsl import api_calls
from fsl.cli.common import put, short_time, table, write_document
from fsl.cli.remote import remote
from fsl.client import Client, Resource


@click.group(no_args_is_help=True)
def hook() -> None:
    """Inspect hooks and their deliveries.

    `fsl apply` creates and changes hooks, `fsl del hook NAME` deletes them.

    \b
    fsl hook list
    fsl hook show pager
    fsl hook deliveries pager --json | jq '.[] | select(.outcome != "delivered")'
    """


@hook.command(name="list")
@remote
def list_(*, client: Client, as_json: bool) -> None:
    """List all hooks.

    \b
    fsl hook list
    """
    found = list(client.every("hook"))
    if as_json:
        put(found)
        return
    rows = [
        (str(one["metadata"]["name"]), ", ".join(one["spec"]["on"]), ", ".join(one["spec"]["addresses"]))
        for one in found
    ]
    table(("name", "on", "addresses"), rows)


@hook.command(no_args_is_help=True)
@click.argument("name")
@remote
def show(*, name: str, client: Client, as_json: bool) -> None:
    """Show a hook and its last delivery.

    \b
    fsl hook show pager
    """
    found = client.get("hook", name)
    deliveries = _deliveries(client, name)
    if as_json:
        put({**found, "last_delivery": deliveries[0] if deliveries else None})
        return
    write_document(found["spec"]["text"], end="\n")
    _print(deliveries[:1])


@hook.command(no_args_is_help=True)
@click.argument("name")
@remote
def deliveries(*, name: str, client: Client, as_json: bool) -> None:
    """List the last deliveries of a hook.

    Every attempt is listed, the newest first, up to 20.

    \b
    fsl hook deliveries pager
    """
    found = _deliveries(client, name)
    if as_json:
        put(found)
    else:
        _print(found)


def _deliveries(client: Client, name: str) -> list[Resource]:
    found: list[Resource] = client.call(api_calls.GET_HOOK_NAME_DELIVERIES, name).json()
    return found


def _print(found: list[Resource]) -> None:
    rows = [
        (
            short_time(one["at"]),
            str(one["event"]),
            str(one["run"]),
            str(one["outcome"]),
            format_elapsed(one["duration_ms"]),
            str(one["error"]),
        )
        for one in found
    ]
    table(("at", "event", "run", "outcome", "took", "error"), rows)
