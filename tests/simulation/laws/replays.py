"""What a replay says of a run: deciding its recorded facts again gives the same entries, and the same head."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.hosting import Services
from chalicelib.model.run import Run
from chalicelib.play.recorded import CannotReplay, Unlike
from chalicelib.play.session import Play, play


def unlike(services: Services, run: Run) -> Iterator[str]:
    """Yield where the replay of the run differs. A run whose facts do not suffice is refused, and not replayed."""
    try:
        found = play(services, run.namespace, Play(run=run.name))
    except Unlike as unlike_run:
        yield str(unlike_run)
        return
    except CannotReplay:
        return
    if found.run.status is not run.status:
        yield f"run {run.name!r} is {run.status}, and {found.run.status} when it is decided again"
