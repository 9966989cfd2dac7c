"""The tables of a run's life."""

from __future__ import annotations

import pytest

from chalicelib.engine import lifecycle
from chalicelib.engine.events import RunStopped
from chalicelib.engine.lifecycle import NEXT, Command
from chalicelib.engine.transition import Transition
from chalicelib.engine.values.secret_values import NO_CIPHER
from chalicelib.model.status import ENDED, LIVE, Status
from tests.engine.flows import NONCE, TWO_STEPS, begun


def picture() -> str:
    """The picture in the module's docstring, drawn from its table."""
    lines = [
        f"    {status:<13} ──> {' | '.join(after for after in Status if after in NEXT[status])}\n"
        for status in Status
        if NEXT[status]
    ]
    return "".join(lines)


def test_the_picture_in_the_docstring_is_drawn_from_the_table() -> None:
    assert lifecycle.__doc__ is not None
    assert f"\n\n{picture()}\n" in lifecycle.__doc__


def test_every_live_status_can_end_and_every_status_has_a_row() -> None:
    assert NEXT.keys() == set(Status)
    for status in LIVE:
        reached, before = {status}, set[Status]()
        while reached != before:
            before = set(reached)
            reached |= {after for known in before for after in NEXT[known]}
        assert reached & ENDED


@pytest.mark.parametrize("status", Status)
def test_a_status_is_followed_by_those_of_the_table_only(status: Status) -> None:
    event = RunStopped(at=1, nonce=NONCE)
    for after in Status:
        transition = Transition(TWO_STEPS, begun().run, event, dict[str, object]().__getitem__, NO_CIPHER)
        transition.set_run(status=status)
        if after is status or after in NEXT[status]:
            transition.set_status(after)
            assert transition.run.status is after
        else:
            with pytest.raises(LookupError, match=f"cannot become {after} when it is {status}"):
                transition.set_status(after)
            assert transition.run.status is status


@pytest.mark.parametrize("command", Command)
def test_no_command_is_carried_out_where_it_has_its_effect_already(command: Command) -> None:
    assert not lifecycle.ALLOWED[command] & lifecycle.WITHOUT_EFFECT[command]
