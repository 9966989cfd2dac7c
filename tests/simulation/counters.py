"""Variables in which scopes count the passes of their own steps, by which the laws see to which scope each belongs."""

from __future__ import annotations

from random import Random
from typing import Final

from msgspec.structs import replace

from chalicelib.model.flow import ChoiceStep, ForkStep, Step
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, expression

MINE: Final = "mine"
"""What a branch or an item may declare. Elsewhere it is that of an outer scope, or of the run."""

OURS: Final = "ours"
"""What a fork may declare, for all its branches."""

WHO: Final = "who"
"""The index of the item that declares it."""

OF_ITEMS: Final[dict[str, Template]] = {MINE: 0, WHO: expression("$index")}


def counts_of(*, outer: bool = False) -> dict[str, Template]:
    """Return the counters of a branch; `outer`: those of a fork or of the run, which serve what is in them too."""
    return {MINE: 0, OURS: 0} if outer else {MINE: 0}


def counted(rng: Random, step: Step, depth: int) -> Step:
    """Return the step, which perhaps counts its passes. A fork does not: what it saves reads its own variables."""
    if isinstance(step, (ChoiceStep, ForkStep)) or rng.random() > (0.5 if depth else 0.15):
        return step
    names = rng.choice(((MINE,), (OURS,), (MINE, OURS)))
    counting: dict[str, Json] = {name: expression(f"$vars.{name} + 1") for name in names}
    return replace(step, save={**step.save, **counting})
