"""`fsl pause`, `continue`, `stop` and `retry`: commands to a run."""

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


@click.command(no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.option("--step", metavar="STEP", help="The step to continue at; by default the one where the run ended.")
@click.option("--undo", is_flag=True, help="Repeat the undos that failed; the run does not continue.")
@remote
def retry(*, name: str, step: str | None, undo: bool, client: Client, as_json: bool) -> None:
    """Retry a run that failed or was stopped.

    The run continues at the step where it ended, or at another step. A run whose work was undone needs the step.

    \b
    fsl retry my_flow_run
    fsl retry my_flow_run --step Build
    fsl retry my_flow_run --undo
    """
    if step and undo:
        raise click.UsageError("--step and --undo exclude each other: --undo does not continue the run")
    _send(client, name, "retry", {"step": step} if step else {"undo": True} if undo else {}, as_json=as_json)


def _send(client: Client, run: str, command: str, body: dict[str, Json], *, as_json: bool) -> None:
    found = client.order(run, command, body)
    if as_json:
        put(found)
        return
    spec = found["spec"]
    table(("run", "status", "state"), [(run, styled(spec["status"]), spec["current_state"])])
