"""The uuids of activations in a replay: those that were recorded, so that answers and called runs find them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.effects import Effect
from chalicelib.engine.returning.repeats import is_repeating
from chalicelib.engine.steps.call import child_name
from chalicelib.model.definition import Definition
from chalicelib.model.flow import EventStep
from chalicelib.model.history import Entry
from chalicelib.model.run import Activation, Run, Token
from chalicelib.model.status import ENDED
from chalicelib.model.waits import ChildWait, NoticeWait, StartWait
from chalicelib.play.recorded import Recorded

_ABOUT_NOTICES: Final = ("NoticeDelivered", "NoticeFailed")

_NONE: Final = Entry(seq=0, at=0, event="")


class RecordedNames:
    """Finds the recorded uuid of an activation: in the next entry that is about its token and step."""

    def __init__(self, found: Recorded, definition: Definition) -> None:
        self._found = found
        self._definition = definition
        self._notices = {one.uuid for one in found.entries if one.event in _ABOUT_NOTICES}
        self._used: set[str] = set()
        """The recorded uuids that activations have."""

    def follow(self, definition: Definition) -> None:
        """Go on with another definition, to which the run moved."""
        self._definition = definition

    def name(self, token: Token, known: set[str], entries: Sequence[Entry], renamed: dict[str, str]) -> Token:
        """Return the token with the recorded uuid, if its activation is new; `renamed` gets both uuids then."""
        activation = token.activation
        if activation is None or activation.uuid in known or is_repeating(token):
            return token
        is_notice = isinstance(activation.wait, NoticeWait)
        uuid = next((one.uuid for one in entries if self._is_about(one, token, is_notice=is_notice)), "")
        uuid = uuid or self._live_uuid(token)
        self._used.add(uuid)
        if not uuid or uuid == activation.uuid:
            return token
        renamed[activation.uuid] = uuid
        return replace(token, activation=_renamed(self._found.run, token.step, activation, uuid))

    def is_known_late(self, token: Token, entries: Sequence[Entry]) -> bool:
        """Return whether the next entry about the token at its step says what came after the wait had ended: then it
        had begun."""
        following = (one for one in entries if self._is_about(one, token, is_notice=False))
        return next(following, _NONE).event in ("LateAnswer", "ChildStopped")

    def is_known_in_pause(self, token: Token, entries: Sequence[Entry]) -> bool:
        """Return whether the wait of the token ends while the run is paused: then it had begun before. `entries` begin
        with the pause."""
        paused = itertools.takewhile(lambda one: one.event != "RunContinued", entries)
        return any(self._is_about(one, token, is_notice=False) for one in paused)

    def _is_of_notice(self, entry: Entry) -> bool:
        """Return whether the entry is about a notice. Of a wait for events, nothing else is delivered."""
        is_event = isinstance(self._definition.step(entry.step), EventStep)
        return entry.uuid in self._notices or (entry.event == "DeliveryFailed" and is_event)

    def _is_about(self, entry: Entry, token: Token, *, is_notice: bool) -> bool:
        if not entry.uuid or entry.uuid in self._used or (entry.token, entry.step) != (token.id, token.step):
            return False
        if is_notice is not self._is_of_notice(entry):
            return False
        if entry.event not in _ABOUT_NOTICES:
            return True
        wait = token.activation.wait if token.activation else None
        sent = self._definition.steps[token.step].notices.get(wait.kind) if isinstance(wait, NoticeWait) else None
        return sent is not None and (entry.data or {}).get("action") == sent.action.name

    def _live_uuid(self, token: Token) -> str:
        """Return the uuid of the activation in which the recorded run waits there."""
        run = self._found.run
        if run.status in ENDED:
            return ""
        at = ((one.id, one.step, one.activation) for one in run.tokens)
        found = next((waits.uuid for place, step, waits in at if waits and (place, step) == (token.id, token.step)), "")
        return "" if found in self._used else found


def _renamed(run: Run, step: str, activation: Activation, uuid: str) -> Activation:
    """Return the activation with another uuid. The names of runs that it starts are made from that."""
    wait = activation.wait
    if isinstance(wait, ChildWait):
        wait = replace(wait, child=child_name(run, step, uuid))
    elif isinstance(wait, StartWait) and wait.run.endswith(activation.uuid):
        wait = replace(wait, run=wait.run.removesuffix(activation.uuid) + uuid)
    return replace(activation, uuid=uuid, wait=wait)


def about(notice: Token, renamed: dict[str, str]) -> Token:
    """Return the notice with the new uuid of the activation that fails with it."""
    wait = notice.activation.wait if notice.activation else None
    if notice.activation is None or not isinstance(wait, NoticeWait) or wait.of not in renamed:
        return notice
    return replace(notice, activation=replace(notice.activation, wait=replace(wait, of=renamed[wait.of])))


def of_renamed(effect: Effect, renamed: dict[str, str]) -> Effect:
    uuid = renamed.get(getattr(effect, "uuid", ""))
    return effect if uuid is None else replace(effect, uuid=uuid)
