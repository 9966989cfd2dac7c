"""Events as `service.signals` keeps them: for whoever waits for them, and for whoever begins to wait soon after."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.engine.received_events import took
from chalicelib.model.flow import EventStep
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import EventWait


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event that is kept until `until`. `run` is set where it is for one run alone; later places sort behind."""

    name: str
    key: str
    data: Json
    run: str
    place: str
    until: Instant


class Mail:
    """The events that came, and who waits for which."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._waiting: dict[tuple[str, str], dict[tuple[str, str], Instant]] = {}

    def keep(self, letter: Letter) -> None:
        self._letters.append(letter)

    def subscribe(self, run: str, uuid: str, names: tuple[str, ...], key: str, until: Instant) -> None:
        """The activation waits for events of these names with that key."""
        for name in names:
            self._waiting.setdefault((name, key), {})[run, uuid] = until

    def unsubscribe(self, run: str, uuid: str) -> None:
        for waiting in self._waiting.values():
            waiting.pop((run, uuid), None)

    def waiting(self, name: str, key: str) -> list[tuple[str, str]]:
        """(run, uuid) of each activation that waits for such an event."""
        return list(self._waiting.get((name, key), {}))

    def earliest(self, run: Run, token: Token, step: EventStep) -> Letter | None:
        """The first event that the token waits for and its run has not taken."""
        wait = token.activation.wait if token.activation else None
        if token.activation is None or not isinstance(wait, EventWait):
            return None
        key, since = wait.key, token.activation.since
        found = [
            letter
            for letter in self._letters
            if letter.name in step.events.values()
            and (letter.run == run.name if letter.run else letter.key == key)
            and not took(run, letter.name, letter.key, letter.place)
            and letter.until >= since
        ]
        return min(found, key=lambda letter: letter.place, default=None)
