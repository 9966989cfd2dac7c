"""`fsl retry`, `migrate` and `goto`: commands that mend a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from fsl.cli.common import Json, put, say, styled, table
from fsl.cli.many.progress import command_many
from fsl.cli.many.selection import many_runs, one_or_many, selection_of
from fsl.cli.remote import remote
from fsl.cli.runs.commands import run_or_runs
from fsl.cli.runs.start import input_of, input_of_run
from fsl.client import Client


def _version(_: click.Context, __: click.Parameter, given: str | None) -> int | str | None:
    """Return a version: a number, or `latest`."""
    if given is None or given == "latest":
        return given
    if not given.isdecimal() or not int(given):
        raise click.BadParameter(f"{given!r} is neither a number from 1 nor latest")
    return int(given)


@click.command(no_args_is_help=True)
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--step", metavar="STEP", help="The step to continue at; by default the one where the run ended.")
@click.option("--token", metavar="TOKEN", help="Which token continues at the step, if several can.")
@click.option("--version", callback=_version, metavar="N|latest", help="The version of its flow to continue with.")
@click.option("--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input to replace.")
@click.option("--var", "variables", multiple=True, metavar="K=V|JSON|@FILE", help="Variables to set.")
@click.option("--reason", default="", help="Why; it is recorded in the history.")
@click.option("--undo", is_flag=True, help="Repeat the undos that failed; the run does not continue.")
@many_runs
@remote
@click.pass_context
def retry(
    ctx: click.Context, /, *, name: str | None, step: str | None, token: str | None, version: int | str | None,
    inputs: Sequence[str], variables: Sequence[str], reason: str, undo: bool, client: Client, as_json: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Retry a run that failed or was stopped, or many of them.

    The run continues at the step where it ended, or at another step; with its version of the flow, or another one. A
    run whose work was undone needs the step.

    \b
    fsl retry my_flow_run
    fsl retry my_flow_run --version latest --reason "the amount was wrong"
    fsl retry my_flow_run --step Build --var tries=0 --input '{"order_id": "o-7"}'
    fsl retry my_flow_run --undo
    fsl retry --flow order --error Undeliverable --dry-run
    """
    select = selection_of(given, "succeeded,failed,canceled" if undo else "failed,canceled")
    one_or_many(name, select)
    body: dict[str, Json] = {"step": step, "token": token, "version": version, "reason": reason or None}
    new_input = input_of_run(client, name, inputs) if name is not None else input_of(inputs)
    body |= {"input": new_input or None, "vars": input_of(variables) or None}
    body = {field: value for field, value in body.items() if value is not None}
    if undo and (others := sorted(body.keys() - {"reason"})):
        raise click.UsageError(f"--{others[0]} and --undo exclude each other: --undo does not continue the run")
    body |= {"undo": True} if undo else {}
    ctx.exit(run_or_runs(client, "retry", body, name, select, given, as_json=as_json))


@click.command(no_args_is_help=True)
@click.argument("name", metavar="[RUN]", required=False)
@click.argument("version", callback=_version, metavar="[N|latest]", default="latest")
@click.option("--to", callback=_version, metavar="N|latest", help="Many runs: the version to which they move.")
@click.option("--step", "steps", multiple=True, metavar="OLD=NEW", help="A step with a new name; may be repeated.")
@many_runs
@click.option("--reason", default="", help="Why; it is recorded in the history.")
@remote
@click.pass_context
def migrate(
    ctx: click.Context, /, *, name: str | None, version: int | str, to: int | str | None, steps: Sequence[str],
    reason: str, client: Client, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Move runs to another version of their flow.

    The run is running or paused; by default it moves to the newest version. Each of its tokens stays at its step,
    which must be there and take what the token waits for. The exit code is 1 if something does not fit.

    \b
    fsl migrate my_flow_run latest --dry-run
    fsl migrate my_flow_run 3 --step Build=Compile
    fsl migrate --flow order --of-version 2 --to latest --dry-run
    """
    select = selection_of(given, "pending,running,paused,compensating,canceling")
    one_or_many(name, select)
    body: dict[str, Json] = {"version": to or version, "steps": dict(map(_renamed, steps))}
    body |= {"reason": reason} if reason else {}
    if name is None:
        ctx.exit(command_many(client, "migrate", body, select, given, as_json=as_json))
    found = client.order(name, "migrate", {**body, "dry_run": given["dry_run"]})
    if as_json:
        put(found)
    else:
        rows = [(token["token"], token["step"], token["to"], token.get("why") or "fits") for token in found["tokens"]]
        table(("token", "step", "there", f"version {found['from']} to {found['to']}"), rows)
        for problem in found["problems"]:
            say(problem, "red", err=True)
    ctx.exit(0 if found["fits"] else 1)


@click.command("goto", no_args_is_help=True)
@click.argument("name", metavar="RUN")
@click.argument("step", metavar="STEP")
@click.option("--token", metavar="TOKEN", help="Which token enters the step, if several can.")
@click.option("--reason", default="", help="Why; it is recorded in the history.")
@remote
def goto(*, name: str, step: str, token: str | None, reason: str, client: Client, as_json: bool) -> None:
    """Have a run enter another step.

    The run leaves the step at which it waits. What it waits for is canceled: the action is notified, a called run is
    stopped.

    \b
    fsl goto my_flow_run Ship --reason "paid by transfer"
    """
    body = {"step": step, "token": token, "reason": reason or None}
    given = {field: value for field, value in body.items() if value is not None}
    _show(client.order(name, "goto", given), as_json=as_json)


def _renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise click.BadParameter(f"{text!r} is not OLD=NEW", param_hint="--step")
    return old, new


def _show(run: dict[str, Json], *, as_json: bool) -> None:
    if as_json:
        put(run)
        return
    spec = run["spec"]
    table(("run", "status", "state"), [(run["metadata"]["name"], styled(spec["status"]), spec["current_state"])])
