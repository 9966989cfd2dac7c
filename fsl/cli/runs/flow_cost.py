"""What runs of a flow cost: the flow is played once, and its ways are counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from chalicelib import language
from chalicelib.adapters.operations import ALL_OPERATIONS
from chalicelib.authoring.analyze import SourceFile, analyze_all, source_file
from chalicelib.engine.errors import Refused
from chalicelib.entrypoints.http.presenters.run_details import compared_cost
from chalicelib.hosting.responder import Answer, Reply, Request
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.language import Checked
from chalicelib.model import status
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.statements import StatementValue
from chalicelib.service.details import step_functions
from chalicelib.service.errors import ServiceError
from chalicelib.service.observability.prices import LIST_PRICES
from fsl.cli.common import Json
from fsl.cli.documents.files import find_flow, read_definitions
from fsl.cli.runs.start import input_of
from fsl.client import Client
from fsl.client import Refused as NotThere

_RUN: Final = "run"
_MAX_TEXTS: Final = 1_000
_MAX_EVENTS: Final = 20_000


def compared_flow(client: Client, target: str, name: str | None, inputs: Sequence[str], items: int) -> dict[str, Json]:
    """Return what runs of a flow cost here and on Step Functions.

    `target`: a file, or the name of a flow of the server. `played` is what one run costs, null if it cannot be played,
    for the reason `why`. `transitions` are those of the shortest and the longest way, with so many `items` of each
    `each`.
    """
    if Path(target).exists():
        values = read_definitions([target])
        flow = find_flow(values, name)
    else:
        values = _of_server(client, target)
        flow = find_flow(values, target)
    played, why = _played(values, flow, inputs)
    ways = step_functions.transitions_of(flow.steps, items)
    return {
        "flow": flow.name,
        "played": played,
        "why": why,
        "transitions": {
            "least": ways.least,
            "least_usd": step_functions.standard(ways.least).usd,
            "most": ways.most,
            "most_usd": step_functions.standard(ways.most).usd,
            "loops": ways.loops,
            "eaches": list(ways.eaches),
            "items": items,
        },
        "prices": LIST_PRICES.name,
    }


def _of_server(client: Client, flow: str) -> list[StatementValue]:
    """Return the flow with all that it refers to, in the newest versions. Raises the client's errors."""
    texts: dict[tuple[str, str], SourceFile] = {}
    waiting = [("flow", flow)]
    while waiting and len(texts) < _MAX_TEXTS:
        kind, name = waiting.pop()
        if (kind, name) in texts:
            continue
        try:
            text = client.get(kind, name)["spec"]["text"]
        except NotThere:
            if (kind, name) == ("flow", flow):
                raise
            continue  # an action in the place of a flow that undoes a step, or the other way round
        texts[kind, name] = source_file(name, text)
        used = language.references(texts[kind, name].document)
        waiting += [("action", one) for one in used.actions] + [("flow", one) for one in used.flows]
        waiting += [("config", one) for one in used.configs]
    checked: list[tuple[SourceFile, Checked]] = analyze_all(list(texts.values()), ALL_OPERATIONS("default"))
    return [one.value for _, found in checked for one in found.statements]


def _played(values: Sequence[StatementValue], flow: Flow, inputs: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
    """Play a run; return what it costs, or why it cannot be played."""
    host = ScriptedHost(_first_state)
    host.define(*(value for value in values if not isinstance(value, FlowRun)))
    if flow not in values:
        host.define(flow)
    given = input_of(inputs, {one.name: str(one.type) for one in flow.input})
    try:
        host.start(flow.name, given, name=_RUN, labels={})
        _run_on(host)
    except (ServiceError, Refused) as refusal:
        return None, str(refusal)
    head = host.head(_RUN)
    if head.status in status.LIVE:
        waiting = ", ".join(sorted({token.step for token in head.tokens}))
        return None, f"it waits at {waiting} for what no action answers"
    found, there = host.services.run_details.compared(head, host.history(_RUN), host.clock.now())
    return {"status": str(head.status), "error": head.last_err, **compared_cost(found, there)}, ""


def _first_state(request: Request) -> Reply | None:
    return (Answer(state=request.states[0]),) if request.states else None


def _run_on(host: ScriptedHost) -> None:
    """Let everything happen that happens by itself. Raises click.ClickException if the run goes round in circles."""
    until = host.clock.now() + 400 * 86_400_000
    if not host.run_until(until, max_events=_MAX_EVENTS):
        raise click.ClickException(f"the run does not end within {_MAX_EVENTS:,} events; it goes round in circles")
