"""`fsl pause`, `continue` and `stop`: commands to a run."""

from __future__ import annotations

import click

from fsl.cli.common import Json, put, styled, table
from fsl.cli.remote import remote
from fsl.client import Client


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@remote
def pause(*, name: str, client: Client, as_json: bool) -> None:
    """Pause a run.

    The run dispatches nothing until it is continued. Answers to earlier dispatches are still accepted.

    \b
    fsl pause my_flow_run
    """
    _send(client, name, "pause", {}, as_json=as_json)


@click.command("continue", no_args_is_help=True)
@click.argument("name", metavar="RUN")
@remote
def continue_(*, name: str, client: Client, as_json: bool) -> None:
    """Continue a paused run.

    \b
    fsl continue my_flow_run
    """
    _send(client, name, "continue", {}, as_json=as_json)


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--reason", default="", help="The reason; it is stored as the last error of the run.")
@remote
def stop(*, name: str, reason: str, client: Client, as_json: bool) -> None:
    """Stop a run.

    The run becomes canceled; later answers are ignored.

    \b
    fsl stop my_flow_run --reason "wrong version"
    """
    _send(client, name, "stop", {"reason": reason} if reason else {}, as_json=as_json)


def _send(client: Client, run: str, command: str, body: dict[str, Json], *, as_json: bool) -> None:
    found = client.order(run, command, body)
    if as_json:
        put(found)
        return
    spec = found["spec"]
    table(("run", "status", "state"), [(run, styled(spec["status"]), spec["current_state"])])
