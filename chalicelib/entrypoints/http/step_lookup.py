"""Finding a step of a run by its name or uuid."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import presenters, responses
from chalicelib.service.errors import NotFound, TooLarge
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.runs.read import Reader

SEARCHED_RUNS: Final = 200
"""How many of the newest runs are searched for a step without the name of its run."""


def find_step(reader: Reader, namespace: str, name: str) -> responses.Step:
    """Return the step `RUN.STEP`, or the newest run's step with this name or uuid. Raises NotFound.

    Without the name of a run, a step that a run waits for is preferred.
    """
    run, dot, step = name.rpartition(".")
    if dot:
        try:
            steps = presenters.steps(reader.view(namespace, run))
        except NotFound:
            raise NotFound("step", name) from None
        except TooLarge:
            steps = [presenters.without_values(one) for one in presenters.steps(reader.path(namespace, run))]
        found = [one for one in steps if one["metadata"]["name"] == step]
    else:
        views, _ = reader.views(namespace, RunQuery(limit=SEARCHED_RUNS))
        waiting = [one for view in views for one in presenters.waiting_steps(view)]
        others = [one for view in views for one in presenters.steps(view)]
        found = [one for one in (*waiting, *others) if _is_called(one, name)]
    if not found:
        raise NotFound("step", name)
    return found[0]


def _is_called(step: responses.Step, name: str) -> bool:
    metadata = step["metadata"]
    return name == metadata["name"] or name.lower() == metadata["uuid"]
