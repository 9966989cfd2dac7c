"""`fsl pause`, `continue` and `stop`: commands to a run, or to many; and to actions and flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from fsl import api_calls
from fsl.cli.common import Json, put, say, styled, table
from fsl.cli.many.progress import command_many
from fsl.cli.many.selection import many_runs, one_or_many, selection_of
from fsl.cli.remote import remote
from fsl.client import Client

_LIVE: Final = "pending,running,compensating,canceling"

_HOLDS: Final = {
    ("action", "pause"): api_calls.POST_ACTION_NAME_PAUSE,
    ("action", "continue"): api_calls.POST_ACTION_NAME_CONTINUE,
    ("flow", "pause"): api_calls.POST_FLOW_NAME_PAUSE,
    ("flow", "continue"): api_calls.POST_FLOW_NAME_CONTINUE,
}


@click.command(no_args_is_help=True)
@click.argument("what", metavar="[RUN | action NAME | flow NAME]", nargs=-1)
@many_runs
@remote
@click.pass_context
def pause(ctx: click.Context, /, *, what: Sequence[str], client: Client, as_json: bool, **given: Any) -> None:
    """Pause a run, many runs, an action or a flow.

    A paused run dispatches nothing until it is continued. Answers to earlier dispatches are still accepted. Of a paused
    action nothing is sent, and time-outs of its steps are suspended; of a paused flow no run starts.

    \b
    fsl pause my_flow_run
    fsl pause --flow order --status running
    fsl pause action charge
    fsl pause flow order
    """
    ctx.exit(_command(client, "pause", what, selection_of(given, _LIVE), given, as_json=as_json))


@click.command("continue", no_args_is_help=True)
@click.argument("what", metavar="[RUN | action NAME | flow NAME]", nargs=-1)
@many_runs
@remote
@click.pass_context
def continue_(ctx: click.Context, /, *, what: Sequence[str], client: Client, as_json: bool, **given: Any) -> None:
    """Continue a run, many runs, an action or a flow.

    It was paused; the command changes nothing else.

    \b
    fsl continue my_flow_run
    fsl continue --flow order
    fsl continue action charge
    """
    ctx.exit(_command(client, "continue", what, selection_of(given, "paused"), given, as_json=as_json))


@click.command(no_args_is_help=True)
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--reason", default="", help="The reason; it is stored as the last error of the run.")
@many_runs
@remote
@click.pass_context
def stop(ctx: click.Context, /, *, name: str | None, reason: str, client: Client, as_json: bool, **given: Any) -> None:
    """Stop a run, or many runs.

    The run becomes canceled; later answers are ignored.

    \b
    fsl stop my_flow_run --reason "wrong version"
    fsl stop --flow order --label shop=north --dry-run
    """
    select, args = selection_of(given, f"{_LIVE},paused"), {"reason": reason} if reason else {}
    one_or_many(name, select)
    ctx.exit(run_or_runs(client, "stop", args, name, select, given, as_json=as_json))


def _command(
    client: Client,
    command: str,
    what: Sequence[str],
    select: dict[str, Json],
    given: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    if len(what) == 2 and what[0] in ("action", "flow"):
        found = client.call(_HOLDS[what[0], command], what[1], json={}).json()
        if as_json:
            put(found)
        else:
            say(f"{what[0]} {what[1]} is {'paused' if found['paused'] else 'not paused'}")
        return 0
    if len(what) > 1:
        raise click.UsageError(f"{' '.join(what)!r} is neither a run, nor `action NAME` or `flow NAME`")
    name = what[0] if what else None
    one_or_many(name, select)
    return run_or_runs(client, command, {}, name, select, given, as_json=as_json)


def run_or_runs(
    client: Client,
    command: str,
    args: dict[str, Json],
    name: str | None,
    select: dict[str, Json],
    given: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    """Give the command to the named run, or to those that are selected. Return the exit code."""
    if name is None or given["dry_run"]:
        wanted = select if name is None else {"names": [name]}
        return command_many(client, command, args, wanted, given, as_json=as_json)
    found = client.order(name, command, args)
    if as_json:
        put(found)
    else:
        spec = found["spec"]
        table(("run", "status", "state"), [(name, styled(spec["status"]), spec["current_state"])])
    return 0
