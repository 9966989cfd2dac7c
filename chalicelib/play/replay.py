"""Replay a recorded run: fact by fact, against its own definition or another one beside it.

Against another definition, the run is also replayed with its own, so that deadlines of the two can be told apart.
"""

from __future__ import annotations

import time
from typing import Final

from chalicelib.model.definition import Definition
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef
from chalicelib.play.recorded import MAX_SECONDS, PlayTooLong, Recorded, Unlike
from chalicelib.play.redecide import ChildOf, Difference, Replay, Replayed

_EVERY: Final = 64
"""After how many facts the clock is looked at."""


def replay(
    found: Recorded,
    definition: Definition,
    ref: DefinitionRef,
    given: Json,
    child: ChildOf,
    *,
    upto: int,
    is_own: bool,
    ends_at: float | None = None,
) -> Replayed:
    """Decide the run again up to the decision that made entry `upto`.

    `given` is its input, `child` returns a run that it called. `ends_at` is when the replay takes too long, by
    `time.monotonic()`. Raises CannotReplay, PlayTooLong.
    """
    ends_at = time.monotonic() + MAX_SECONDS if ends_at is None else ends_at
    is_limited = any(entry.event == "RunAdmitted" and entry.by == "limit" for entry in found.entries)
    made: Replayed | None = None
    try:
        made = _replayed(found, definition, ref, given, child, upto, ends_at, is_own=is_own, was_held=False)
    except Unlike:
        if not is_limited:
            raise
    if made is not None and (made.differs is None or not is_limited):
        return made
    held = _replayed(found, definition, ref, given, child, upto, ends_at, is_own=is_own, was_held=True)
    return held if made is None or held.differs is None else made


def refuse_unlike(found: Recorded, differs: Difference | None) -> None:
    """Raise Unlike if the replay of a run with its own definition differs. That says nothing of the run."""
    if differs is None:
        return
    moved = next((entry for entry in found.entries if entry.event == "VersionChanged"), None)
    name, entry = found.run.name, f"entry {differs.seq} cannot be decided again"
    if moved is None:
        raise Unlike(f"the history of run {name!r} does not keep all that its decisions depended on: {entry}")
    why = f"moved to another version at entry {moved.seq}, with actions that its history does not name"
    raise Unlike(f"run {name!r} {why}: {entry}")


def _replayed(
    found: Recorded,
    definition: Definition,
    ref: DefinitionRef,
    given: Json,
    child: ChildOf,
    upto: int,
    ends_at: float,
    *,
    is_own: bool,
    was_held: bool,
) -> Replayed:
    made = Replay(found, definition, ref, given, child, is_own=is_own, was_held=was_held)
    own = found.definition, found.ref, found.run.input
    twin = None if is_own else Replay(found, *own, child, is_own=True, was_held=was_held)
    for number in range(upto):
        if made.seq >= upto or (twin is not None and not _fire_due(made, twin, found)) or not made.step():
            break
        if twin is not None:
            twin.step()
        if number % _EVERY == 0 and time.monotonic() > ends_at:
            raise PlayTooLong(f"replaying run {found.run.name!r} takes more than {MAX_SECONDS:g} s")
    result = made.result()
    lacking = twin.differs if twin is not None else None
    if lacking is not None and result.differs is not None and lacking.seq <= result.differs.seq:
        refuse_unlike(found, lacking)
    return result


def _fire_due(made: Replay, twin: Replay, found: Recorded) -> bool:
    """Let deadlines fire that the recorded run did not have. Return False if that makes the runs part."""
    if made.run is None or made.seq >= len(found.entries):
        return True
    at = found.entries[made.seq].at
    for _ in range(len(made.head.tokens) + 1):
        known = twin.due(at) if twin.run is not None else {}
        fresh = {place: due for place, due in made.due(at).items() if place not in known}
        if not fresh:
            return True
        if not made.fire(min(fresh.values())):
            return False
    return True
