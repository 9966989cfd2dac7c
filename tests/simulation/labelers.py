"""Those who give labels to runs, in some of the schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.hosting import Services
from chalicelib.model.json_values import Json

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

LATEST_MS: Final = (2_000, 200_000)
NAMES: Final = ("team", "ticket")
VALUES: Final[tuple[Json, ...]] = ("a", "b", 7)


class Labelers:
    """Draws what they do from places of their own, so that schedules without them stay as they are."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        fates = stage.fates
        for _ in range((0, 0, 2, 5)[fates.below("labelers", 4)]):
            latest = LATEST_MS[fates.below("labeler-latest", len(LATEST_MS))]
            stage.loop.at(stage.loop.now + fates.span("labeler-at", 1, latest), self._label)

    def _label(self) -> None:
        """Set a label of a run, or remove it."""
        stage, fates = self._stage, self._stage.fates
        known = [*stage.laws.heads]
        if fates.calm or not known:
            return
        namespace, run = known[fates.below("labeled", len(known))]
        name, number = NAMES[fates.below("label", len(NAMES))], fates.below("label-value", len(VALUES) + 1)
        removed = (name,) if number == len(VALUES) else ()
        labels = {} if removed else {name: VALUES[number]}

        def work(services: Services) -> None:
            services.operator.set_labels(namespace, run, labels, remove=removed)

        fates.happened("labels")
        stage.ask(f"label({namespace}/{run} {labels or removed})", namespace, work)
