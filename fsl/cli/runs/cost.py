"""`fsl cost`: what a run costs so far, and what AWS Step Functions asks for it or for any run of a flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from fsl import api_calls
from fsl.cli.common import Cell, Json, put, say, table
from fsl.cli.remote import remote
from fsl.client import Client, Refused

_DOLLARS = "usd"
_NOT_FOUND = 404


@click.command(no_args_is_help=True)
@click.argument("target", metavar="[RUN|FLOW|FILE]", default="")
@click.option("--idle", is_flag=True, help="Show what a stage costs in a month in which nothing happens.")
@click.option("--compare", type=click.Choice(["sfn"]), help="Compare with AWS Step Functions (sfn).")
@click.option("--flow", metavar="NAME", help="The flow, if the file defines several.")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input of the run that is played."
)
@click.option("--items", type=click.IntRange(0, 100_000), default=1, show_default=True, help="Items of each `each`.")
@remote
def cost(
    *, target: str, idle: bool, compare: str | None, flow: str | None, inputs: Sequence[str], items: int,
    client: Client, as_json: bool,
) -> None:  # fmt: skip
    """Show what a run or a flow costs on AWS.

    The prices are list prices. With --compare sfn, a run is compared with AWS Step Functions as it went. A flow, of the
    server or of a file, is played once on a virtual clock, where everything answers with its first state; its shortest
    and longest ways are counted as well.

    \b
    fsl cost my_flow_run
    fsl cost my_flow_run --compare sfn
    fsl cost order --compare sfn --input amount=12
    fsl cost release.fsl --compare sfn --json
    fsl cost --idle
    """
    if bool(target) is idle:
        raise click.UsageError("name a run, a flow or a file, or say --idle")
    if idle:
        _show_idle(as_json=as_json)
        return
    if Path(target).exists() or (compare and not _is_run(client, target)):
        if compare is None:
            raise click.UsageError("a flow has a cost only in comparison: add --compare sfn")
        from fsl.cli.runs.flow_cost import compared_flow

        _show_flow(compared_flow(client, target, flow, inputs, items), as_json=as_json)
        return
    found: Mapping[str, Json] = client.call(api_calls.GET_FLOWRUN_NAME_COST, target).json()
    if as_json:
        put(found)
    elif compare:
        _show_comparison(found, f"run {target}")
    else:
        rows = [(name.replace("_", " "), _shown(name, value)) for name, value in _flat(found) if name != _THERE]
        table(("what", "so far"), rows)


_THERE = "step_functions"
_PARTS = "usd_by_service"


def _show_idle(*, as_json: bool) -> None:
    from chalicelib.service.details.cost import IDLE_MONTH
    from chalicelib.service.observability.prices import LIST_PRICES

    found = {name: round(asked.usd(), 4) for name, asked in IDLE_MONTH.items()}
    if as_json:
        put({"usd": round(sum(found.values()), 4), "usd_by_part": found, "prices": LIST_PRICES.name})
        return
    rows = [*found.items(), ("in all", sum(found.values()))]
    table(("an idle month", LIST_PRICES.name), [(name, f"${usd:.2f}") for name, usd in rows])
    say("without storage, logs, alarms (0.10 USD each) and the dashboard", "dim")


def _is_run(client: Client, name: str) -> bool:
    try:
        client.call(api_calls.GET_FLOWRUN_NAME_COST, name)
    except Refused as refusal:
        if refusal.status == _NOT_FOUND:
            return False
        raise
    return True


def _flat(found: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield the values by name, and the parts of the price by the service that asks for them."""
    for name, value in found.items():
        if name == _PARTS:
            yield from ((f"{part}_usd", usd) for part, usd in value.items())
        else:
            yield name, value


def _shown(name: str, value: Json) -> str:
    return f"${value:.6f}" if name.endswith(_DOLLARS) else str(value)


def _show_comparison(found: Mapping[str, Any], what: str) -> None:
    """Print what a run costs here, and what Step Functions asks for it."""
    standard, express = found[_THERE]["standard"], found[_THERE]["express"]
    here = f"{found['writes']:,} writes, {found['reads']:,} reads, {found['messages']:,} messages"
    here += f", {found['answers']:,} answers"
    least = "" if standard["complete"] else "at least "
    there = f"{least}{standard['transitions']:,} state transitions"
    seconds = f"1 request, {express['duration_ms'] / 1000:,.1f} s with {express['memory_mb']} MB"
    rows: list[tuple[Cell, ...]] = [
        ("Echoer", here, _dollars(found["usd"])),
        ("Step Functions, Standard", there, _dollars(standard["usd"])),
        ("Step Functions, Express", seconds, _dollars(express["usd"])),
    ]
    table((what, "counted", "per million runs"), rows)
    if not express["fits"]:
        say("it took longer than the 5 minutes that an Express workflow may", "yellow")
    say(f"list prices of {found['prices']}, without what the steps call; of Echoer DynamoDB, SQS, Lambda and", "dim")
    say("API Gateway, if actions answer through it", "dim")


def _dollars(usd: float) -> str:
    return f"${usd * 1_000_000:,.2f}"


def _show_flow(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        put(found)
        return
    ways = found["transitions"]
    if found["played"] is None:
        say(f"not played: {found['why']}", "yellow")
    else:
        _show_comparison(found["played"], f"flow {found['flow']}, played")
        if found["played"]["error"]:
            say(
                f"the run {found['played']['status']}; actions answer without data: {found['played']['error']}",
                "yellow",
            )
    rows: list[tuple[Cell, ...]] = [
        ("the shortest way", f"{ways['least']:,}", _dollars(ways["least_usd"])),
        (
            "the longest way" + (", loops once" if ways["loops"] else ""),
            f"{ways['most']:,}",
            _dollars(ways["most_usd"]),
        ),
    ]
    table(("Step Functions, Standard", "state transitions", "per million runs"), rows)
    if ways["eaches"]:
        say(f"with {ways['items']:,} item(s) of {', '.join(ways['eaches'])} (--items)", "dim")
