"""`fsl answer` and `fsl approve`: the answer of an action, or of a person, to a step that waits."""

from __future__ import annotations

import sys

import click

from fsl.cli.common import Json, put, write
from fsl.cli.people.tasks import task_of
from fsl.cli.remote import remote
from fsl.cli.values import value_of
from fsl.client import Client

APPROVE, REJECT = "APPROVE", "REJECT"

_RESULTS = {
    "advanced": "the step was answered",
    "progress": "the progress was recorded; the step keeps waiting",
    "duplicate": "the step was answered before; nothing changed",
}

_UUID = click.option(
    "--uuid", metavar="UUID", help="Answer this activation, where several of one step wait; `fsl task` shows it."
)


@click.command(no_args_is_help=True)
@click.argument("target", metavar="TOKEN|RUN.STEP")
@click.argument("state", required=False)
@click.option("--data", metavar="JSON", help="The data of the answer; text that is not JSON is sent as text.")
@click.option("--error", metavar="NAME", help="The name of the error that is the reason for the state.")
@click.option("--cause", default="", help="A sentence that explains the error.")
@click.option("--progress", is_flag=True, help="Report progress instead; the step keeps waiting.")
@_UUID
@remote
def answer(
    *,
    target: str,
    state: str | None,
    data: str | None,
    error: str | None,
    cause: str,
    progress: bool,
    uuid: str | None,
    client: Client,
    as_json: bool,
) -> None:
    """Answer a step that waits, as its action or a person.

    The token is `$step.token`, as the action was sent it; it needs no name of a run. With --error the state defaults
    to ERROR. On a terminal, a task of the inbox can be answered without a state: the command asks for it.

    \b
    fsl answer AW5LLwqc... APPROVED --data '{"by": "Ann"}'
    fsl answer my_flow_run.Review AGREE
    fsl answer my_flow_run.Build --error CompilerFailed --cause "exit code 1"
    fsl answer my_flow_run.Build --progress --data '{"percent": 50}'
    """
    if progress and (state or error):
        raise click.UsageError("--progress needs neither a state nor an error: the step keeps waiting")
    if cause and not error:
        raise click.UsageError("--cause needs --error")
    if not (progress or state or error):
        state = _chosen(client, target)
    body: dict[str, Json] = {"done": False} if progress else {"ackState": state or "ERROR"}
    if data is not None:
        body["data"] = value_of(data)
    if error:
        body["error"] = {"name": error, "cause": cause}
    _send(client, target, body, uuid, as_json=as_json)


@click.command(no_args_is_help=True)
@click.argument("target", metavar="TOKEN|RUN.STEP")
@click.option("--reject", is_flag=True, help="Reject the dispatch: the step returns ERROR.")
@click.option("--reason", default="", help="Why; it is stored in the history.")
@_UUID
@remote
def approve(*, target: str, reject: bool, reason: str, uuid: str | None, client: Client, as_json: bool) -> None:
    """Approve or reject the dispatch of an action.

    An action with `approval = required` is dispatched only after a person approves. The reason is the data of the
    answer. Of a rejection it is the cause of the error ApprovalRejected as well.

    \b
    fsl approve my_flow_run.Ship --reason "checked with Ann"
    fsl approve my_flow_run.Ship --reject --reason "wrong address"
    """
    body: dict[str, Json] = {"ackState": REJECT if reject else APPROVE}
    if reason:
        body["data"] = {"reason": reason}
    if reason and reject:
        body["error"] = {"name": "ApprovalRejected", "cause": reason}
    _send(client, target, body, uuid, as_json=as_json)


def _send(client: Client, target: str, body: dict[str, Json], uuid: str | None, *, as_json: bool) -> None:
    found = client.answer(target, body, uuid)
    if as_json:
        put(found)
    else:
        write(_RESULTS.get(found["outcome"]) or str(found["outcome"]))


def _chosen(client: Client, target: str) -> str:
    """Return the state that the person at the terminal chooses. Raises click.UsageError if there is no terminal."""
    if not sys.stdin.isatty():
        raise click.UsageError("give the state that the step returns, --error, or --progress")
    states = [str(one) for one in task_of(client, target)["ackStates"]]
    choice: str = click.prompt("state", type=click.Choice(states), err=True)
    return choice
