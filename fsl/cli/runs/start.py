"""`fsl run`: start a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from chalicelib.model.times import duration
from fsl import api_calls
from fsl.cli.common import Json, put, put_output, say, write
from fsl.cli.filters import later
from fsl.cli.remote import EXIT_NOT_ENDED, remote
from fsl.cli.runs.follow import follow_to_end
from fsl.cli.values import object_of, pair_of, value_of
from fsl.client import NOT_FOUND, Client, Refused, Resource

TEXT_TYPE: Final = "str"


@click.command(no_args_is_help=True)
@click.argument("flow")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input of the run; may be repeated."
)
@click.option("--name", metavar="NAME", help="Name of the run; by default the server chooses one.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label of the run; may be repeated.")
@click.option("--key", metavar="KEY", help="Idempotency key: within 24 h the same key returns the same run.")
@click.option(
    "--start-at", metavar="WHEN", callback=later, help="When it starts: an RFC 3339 time, or a duration from now: 2h."
)
@click.option("--watch", "follow", is_flag=True, help="Show the transitions until the run ends, as `fsl watch` does.")
@click.option("--wait", is_flag=True, help="Wait until the run ends, and print its output.")
@click.option("--timeout", metavar="DURATION", help="With --wait: how long to wait, such as 10m; by default forever.")
@remote
@click.pass_context
def run(
    ctx: click.Context, *, flow: str, inputs: Sequence[str], name: str | None, labels: Sequence[str], key: str | None,
    start_at: str | None, follow: bool, wait: bool, timeout: str | None, client: Client, as_json: bool,
) -> None:  # fmt: skip
    """Start a run of a flow.

    A value V has the type that the flow declares for K: `id=404` is text where the flow wants text. Where it declares
    none, a V that is valid JSON is passed as JSON, and any other as text. With --wait, the command prints the output
    of the run and nothing else. Its exit code, and that of --watch, is 0 if the run succeeded, 1 if it failed or was
    stopped, and 4 if it has not ended after --timeout.

    \b
    fsl run order --input order_id=o-7 --input amount=12.5
    fsl run order --input '{"order_id": "o-7"}' --label team=payments --watch
    fsl run order --input @order.json --key o-7 --wait --timeout 10m
    fsl run order --input @order.json --start-at 2h
    """
    if follow and wait:
        raise click.UsageError("--watch and --wait exclude each other: --wait prints the output only")
    seconds = _seconds(timeout, wait=wait)
    request: dict[str, Json] = {"input": _input(client, flow, inputs)}
    request |= {"labels": dict(pair_of(label, "--label") for label in labels)} if labels else {}
    named = {"name": name, "key": key, "start_at": start_at}
    request |= {field: value for field, value in named.items() if value is not None}
    started = client.start(flow, request)
    run_name = started["metadata"]["name"]
    if wait:
        ctx.exit(_result(client, client.ended(run_name, seconds), as_json=as_json))
    if follow:
        if not as_json:
            say(f"run {run_name}")
        ctx.exit(follow_to_end(client, run_name, 0, as_json=as_json))
    if as_json:
        put(started)
    else:
        write(run_name)


def _seconds(timeout: str | None, *, wait: bool) -> float:
    """Return the seconds to wait; infinity if there is no limit."""
    if timeout is None:
        return float("inf")
    milliseconds = duration(timeout)
    if milliseconds is None:
        raise click.BadParameter(f"{timeout!r} is not a duration such as 30s, 10m or 1h30m", param_hint="--timeout")
    if not wait:
        raise click.UsageError("--timeout needs --wait")
    return milliseconds / 1000


def _result(client: Client, run: Resource, *, as_json: bool) -> int:
    """Print the output of a run that has ended, or why there is none, and return the exit code."""
    name, spec = run["metadata"]["name"], run["spec"]
    if as_json:
        put(run)
    elif spec["status"] == "succeeded":
        put_output(client.output(run))
    if spec["ended_at"] is None:
        say(f"{name} has not ended: it is {spec['status']} at {spec['current_state']}", "yellow", err=True)
        return EXIT_NOT_ENDED
    if spec["status"] != "succeeded":
        reason = f": {spec['last_err']}" if spec["last_err"] else ""
        say(f"{name} {spec['status']}{reason}", "red", err=True, lines=True)
        return 1
    return 0


# ── input ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def input_of(given: Sequence[str], types: dict[str, str] | None = None) -> dict[str, Json]:
    """Return the input that the values of --input define together; later values take precedence.

    `types`: the types that the flow declares, by the names of its inputs.
    """
    found: dict[str, Json] = {}
    for text in given:
        if text.startswith("@"):
            found |= object_of(_content(text[1:]), text)
        elif text.lstrip().startswith("{"):
            found |= object_of(text, "--input")
        else:
            name, value = pair_of(text, "--input")
            found[name] = _typed(value, (types or {}).get(name))
    return found


def _typed(text: str, declared: str | None) -> Json:
    """Return the value of K=V. Where text is declared, only a JSON string in quotes is read as JSON."""
    value = value_of(text)
    return text if declared == TEXT_TYPE and not isinstance(value, str) else value


def input_of_run(client: Client, run: str, given: Sequence[str]) -> dict[str, Json]:
    """Return input for a run that exists, with the types that its flow declares."""
    if not _is_ambiguous(given):
        return input_of(given)
    found = client.call(api_calls.GET_FLOWRUN_NAME, run, query={"view": "summary"}).json()
    return _input(client, found["spec"]["flow"], given)


def _is_ambiguous(given: Sequence[str]) -> bool:
    """Return whether a value can be text as well as something else."""
    pairs = (text.partition("=")[2] for text in given if not text.lstrip().startswith(("@", "{")))
    return any(not isinstance(value_of(text), str) for text in pairs)


def _input(client: Client, flow: str, given: Sequence[str]) -> dict[str, Json]:
    """Return the input. The types are requested only if they are needed."""
    found = input_of(given)
    if not flow or not _is_ambiguous(given):
        return found
    try:
        declared = client.get("flow", flow)["spec"]["input"]
    except Refused as refused:
        if refused.status != NOT_FOUND:
            raise
        return found
    return input_of(given, {one["name"]: one["type"] for one in declared})


def _content(path: str) -> str:
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.BadParameter(f"cannot read {path}: {exc}") from exc
