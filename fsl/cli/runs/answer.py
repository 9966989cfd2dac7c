"""`fsl answer`: the answer of an action, or of a person, to a step that waits."""

from __future__ import annotations

import click

from fsl.cli.common import Json, put, write
from fsl.cli.remote import remote
from fsl.cli.values import value_of
from fsl.client import Client


@click.command(no_args_is_help=True)
@click.argument("target", metavar="TOKEN|RUN.STEP")
@click.argument("state", required=False)
@click.option("--data", metavar="JSON", help="The data of the answer; text that is not JSON is sent as text.")
@click.option("--error", metavar="NAME", help="The name of the error that is the reason for the state.")
@click.option("--cause", default="", help="A sentence that explains the error.")
@click.option("--progress", is_flag=True, help="Report progress instead; the step keeps waiting.")
@remote
def answer(
    *,
    target: str,
    state: str | None,
    data: str | None,
    error: str | None,
    cause: str,
    progress: bool,
    client: Client,
    as_json: bool,
) -> None:
    """Answer a step that waits, as its action or a person.

    The token is `$step.token`, as the action was sent it; it needs no name of a run. With --error the state defaults
    to ERROR.

    \b
    fsl answer AW5LLwqc... APPROVED --data '{"by": "Ann"}'
    fsl answer my_flow_run.Review AGREE
    fsl answer my_flow_run.Build --error CompilerFailed --cause "exit code 1"
    fsl answer my_flow_run.Build --progress --data '{"percent": 50}'
    """
    if progress and (state or error):
        raise click.UsageError("--progress needs neither a state nor an error: the step keeps waiting")
    if not (progress or state or error):
        raise click.UsageError("give the state that the step returns, --error, or --progress")
    if cause and not error:
        raise click.UsageError("--cause needs --error")
    body: dict[str, Json] = {"done": False} if progress else {"ackState": state or "ERROR"}
    if data is not None:
        body["data"] = value_of(data)
    if error:
        body["error"] = {"name": error, "cause": cause}
    found = client.answer(target, body)
    if as_json:
        put(found)
    else:
        write(_RESULTS.get(found["outcome"]) or str(found["outcome"]))


_RESULTS = {
    "advanced": "the step was answered",
    "progress": "the progress was recorded; the step keeps waiting",
    "duplicate": "the step was answered before; nothing changed",
}
