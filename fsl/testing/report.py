"""A result as a person reads it: what was expected, what came, the way there, and where the run stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.model import status
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from fsl.testing.suite import Result
from fsl.testing.trial import Ran
from fsl.testing.units import elapsed
from fsl.transition_text import fields_of, transition

SHOWN: Final = 40
"""How many lines of the way are shown: the first and the last half of them."""


def told(result: Result) -> list[str]:
    """A failed test, line by line."""
    lines = [f"FAILED {result.file}:{result.line}: {result.case.name}"]
    for failure in result.failures:
        lines.append(f"  {failure.what}: {failure.message}")
        lines += [f"      {line}" for line in failure.difference]
    lines += way(result.ran)
    lines += [f"  {line}" for line in _stands(result)]
    return lines


def way(ran: Ran) -> list[str]:
    """The transitions of the run, each with the virtual time that had passed."""
    lines = [f"  {elapsed(entry.at - ran.began):>12}  {_branch(entry)}{_told(entry)}" for entry in ran.history]
    if len(lines) > SHOWN:
        left_out = f"  {'':>12}  ... {len(lines) - SHOWN} more ..."
        lines = [*lines[: SHOWN // 2], left_out, *lines[-SHOWN // 2 :]]
    return ["  the way it went:", *lines]


def _told(entry: Entry) -> str:
    return transition(fields_of(entry))


def _branch(entry: Entry) -> str:
    """The branch or item whose token it is; nothing for the run's own."""
    return f"[{entry.token.partition('.')[2] or entry.token}] " if entry.token != ROOT else ""


def _stands(result: Result) -> Iterator[str]:
    ran = result.ran
    head = ran.head
    yield f"it is {head.status} after {elapsed(ran.world.now - ran.began if head.ended_at is None else ran.took)}"
    for token in head.tokens:
        if not (token.activation or head.status in status.STOPPED):
            continue
        waits = ""
        if token.activation and head.status not in status.ENDED:
            due = elapsed(max(0, token.activation.due - ran.began))
            waits = f", and waits there since {elapsed(token.activation.since - ran.began)}, at most until {due}"
            waits = (
                waits if token.activation.due - ran.began < 36_600 * 86_400_000 else ", and waits for what is within it"
            )
        place = result.program.places.get((ran.world.definition(ran.name).flow.name, token.step))
        yield f"it stands at {token.step}{waits}" + (f": {place}" if place else "")
        if place:
            yield f"{place.line:>5} | {place.text}"
