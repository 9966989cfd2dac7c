"""Which effects a replayed run still needs: those that make it go on from its last head."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.engine import effects
from chalicelib.engine.effects import Effect
from chalicelib.model.run import Run
from chalicelib.model.status import ENDED


def needed(run: Run, emitted: Iterable[Effect]) -> Iterable[Effect]:
    """Return the effects without which the run would not go on, each once."""
    current = {one.activation.uuid for one in (*run.tokens, *run.notices) if one.activation}
    children = {stopping.child for stopping in run.stopping}
    kept: dict[Effect, None] = {}
    for effect in emitted:
        match effect:
            case effects.DeliverAction(uuid) | effects.OpenTask(uuid):
                is_needed = uuid in current
            case effects.StartChild(uuid) | effects.ExecuteStep(uuid):
                is_needed = uuid in current
            case effects.Listen(uuid):
                is_needed = uuid in current
            case effects.StopChild(name) | effects.SyncChild(name):
                is_needed = name in children
            case effects.TellParent():
                is_needed = run.status in ENDED
            case _:
                is_needed = False
        if is_needed:
            kept[effect] = None
    if run.timer_at is not None:
        kept[effects.SetTimer(run.timer_at)] = None
    return tuple(kept)
