"""One schedule: a seed goes in, what came of it comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chalicelib.model import status
from tests.simulation.fates import Decision, Fates
from tests.simulation.laws import Broken
from tests.simulation.laws.labels import not_found
from tests.simulation.laws.replays import unlike
from tests.simulation.loop import START
from tests.simulation.people import People
from tests.simulation.quiet import single_threaded
from tests.simulation.stage import Stage

HORIZON: Final = START + 100 * 86_400_000
"""By when every run must have ended once faults have stopped."""

LULL: Final = START + 10 * 86_400_000
"""When faults stop at the latest."""

MOST_TURNS: Final = 200_000
"""More than any schedule takes that comes to rest: dozens that wait for one permit take some 20,000."""
RESUMED_EVERY: Final = 60_000


REPLAYED_EVERY: Final = 4
"""Of how many schedules one has its runs replayed."""

LAST_REPLAYED: Final = 300
"""The last seed of such a schedule. Of some 2,000 runs under many faults, one depended on what its history does not
keep, and its replay is refused."""


@dataclass(frozen=True, slots=True)
class Result:
    seed: int
    broken: Broken | None
    struck: tuple[tuple[Decision, str], ...]
    counts: Counter[str]
    turns: int
    runs: int
    """How many runs there were, and how many of them"""
    ended: int
    story: tuple[str, ...]


def play(seed: int, dropped: frozenset[Decision] = frozenset(), *, tell: bool = False) -> Result:
    """The schedule of that seed, without the faults in `dropped`."""
    stage = Stage(Fates(seed, dropped), tell=tell)
    with single_threaded(stage.laws):
        _play(stage)
        for fiber in tuple(stage.loop.fibers):
            stage.loop.kill(fiber)
    heads = stage.laws.heads.values()
    return Result(
        seed=seed,
        broken=stage.laws.broken,
        struck=tuple(stage.fates.struck),
        counts=stage.fates.counts,
        turns=stage.loop.turns,
        runs=len(stage.laws.histories),
        ended=sum(run.status in status.ENDED for run in heads),
        story=tuple(stage.story or ()),
    )


def _play(stage: Stage) -> None:
    people, loop, laws = People(stage), stage.loop, stage.laws
    until = 100 + stage.fates.rng.randrange(400)
    while laws.broken is None and loop.turns < until and (loop.next_at or HORIZON) < LULL and loop.turn():
        pass
    stage.fates.calm = True
    stage.note("faults have stopped")
    people.settle()
    drain(stage, people.resume_all)


def drain(stage: Stage, resume_all: Callable[[], bool]) -> None:
    """The world goes on until it comes to rest; then every run must have ended."""
    loop, laws, resume_at = stage.loop, stage.laws, stage.loop.now
    while laws.broken is None:
        if loop.now >= resume_at:
            resume_all()
            resume_at = loop.now + RESUMED_EVERY
        if loop.turns > MOST_TURNS:
            laws.breaks("liveness", f"it does not come to rest: {_live(stage)}")
        if (loop.next_at is None or loop.next_at > HORIZON) and not resume_all():
            break
        loop.turn()
    if laws.broken is None:
        _look_back(stage)


def _live(stage: Stage) -> str:
    live = [
        f"{run.name} {run.status} at {', '.join(token.step for token in run.tokens)}"
        for run in stage.laws.heads.values()
        if run.status in status.LIVE
    ]
    return "; ".join(live) or "every run has ended"


def _look_back(stage: Stage) -> None:
    """Nothing happens any more: every run has ended, and its history can be read as it was committed."""
    laws = stage.laws
    for (namespace, name), run in laws.heads.items():
        if run.status in status.LIVE:
            laws.breaks("liveness", f"nothing will ever happen again, and {_live(stage)}")
        read = stage.faultless.reader.history(namespace, name, 0, 1_000_000)
        if list(read) != laws.histories[run.id].entries:
            laws.breaks("history", f"the history of {name!r} reads otherwise than it was committed")
    if stage.fates.seed <= LAST_REPLAYED and stage.fates.seed % REPLAYED_EVERY == 0:
        _replay(stage)
    rests = {"slots": laws.slots.rest(), "labels": not_found(laws.heads, stage.store), "batch": laws.holds.rest()}
    for law, found in rests.items():
        for wrong in found:
            laws.breaks(law, wrong)
    for run in laws.heads.values():
        if run.notices:
            laws.breaks("notices", f"run {run.name!r} still has notices: {run.notices}")
    if stage.messages.live:
        laws.breaks("messages", f"messages are left: {list(stage.messages.live.values())}")


def _replay(stage: Stage) -> None:
    """Decide every run again from its history."""
    for run in stage.laws.heads.values():
        for wrong in unlike(stage.faultless, run):
            stage.laws.breaks("replay", wrong)
