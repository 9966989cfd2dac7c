"""What became of a play, in lines and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

from chalicelib.model import status, times
from chalicelib.model.flow import EachStep, ForkStep
from chalicelib.model.json_values import Json
from chalicelib.model.times import Instant
from chalicelib.play.session import Played
from chalicelib.play.waiting import Waiting
from chalicelib.service.details.kinds import WaitKind
from fsl.cli.common import say, short_time, table
from fsl.transition_text import fields_of, transition


def show(found: Played, seen: int, refused: int) -> None:
    """Print the transitions after entry `seen`, the refusals after the first `refused`, and what the run waits for."""
    for entry in found.history:
        if entry.seq > seen:
            say(f"{time_of(entry.at)}  {transition(fields_of(entry))}")
    for one in found.refused[refused:]:
        say(f"refused: {one.why}", "red")
    head = found.run
    if head.status in status.ENDED:
        reason = f": {head.last_err}" if head.last_err else ""
        say(f"{time_of(found.now)}  {head.status}{reason}", "green" if head.status == "succeeded" else "red")
        if head.output is not None:
            say(f"output: {text_of(found.output)}")
    waits = [one for one in found.waits if not _is_around(one, found)]
    if waits:
        table(("step", "waits for", "answers", "until", "args"), [_row(one, found) for one in waits])
    elif head.status not in status.ENDED:
        say(f"{time_of(found.now)}  {head.status}", "yellow")


def _is_around(one: Waiting, found: Played) -> bool:
    """Return whether the step only waits for steps inside of it, which are shown themselves."""
    return one.run == found.run.name and isinstance(found.definition.step(one.step), (EachStep, ForkStep))


def _row(one: Waiting, found: Played) -> tuple[str, ...]:
    several = sum(other.step == one.step for other in found.waits) > 1
    step = f"{one.step}@{one.token}" if several else one.step
    return step, " ".join(_what(one)), " | ".join(one.states), _until(one), text_of(one.args) if one.args else ""


def _what(one: Waiting) -> Iterator[str]:
    if one.kind is WaitKind.APPROVAL:
        yield "an approval of"
    elif one.kind is WaitKind.PERSON:
        yield "a person:"
    elif one.kind is not WaitKind.ACTION or one.is_held:
        yield one.kind
    else:
        yield f"delivery {one.attempt} of"
    yield one.name


def _until(one: Waiting) -> str:
    at = one.retry_at if one.retry_at is not None and not one.is_held else one.deadline
    return time_of(at) if at is not None else ""


def time_of(at: Instant) -> str:
    return short_time(times.rfc3339(at))


def text_of(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
