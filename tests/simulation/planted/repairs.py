"""Bugs put in on purpose into what mends runs: migrate, goto, retry, actions that follow their newest version."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine.handlers import answers, commands, goto
from chalicelib.engine.transition import Transition
from chalicelib.engine.versions import change, pins
from chalicelib.model import action_versions
from chalicelib.model.action_versions import ActionVersions
from chalicelib.service.definitions.cache import DefinitionCache

_NEVER_MS: Final = 10**12


def _late_again(right: Any) -> Any:
    """A late answer is kept each time it comes."""

    def late(transition: Any, event: Any) -> Any:
        before = transition.run.unanswered
        outcome = right(transition, event)
        transition.set_run(unanswered=before)
        return outcome

    return late


def _never_looks_again(right: Any) -> Any:
    def made(self: Any, *args: Any, **more: Any) -> None:
        right(self, *args, **more)
        self._follow_age = _NEVER_MS

    return made


def _new_uuids(right: Any) -> Any:
    """What waited is sent anew by the new version."""

    def migrate(transition: Any, event: Any) -> None:
        right(transition, event)
        for token in tuple(transition.tokens.values()):
            if token.activation and not token.activation.is_join:
                transition.activate(token, token.activation.deadline - transition.at)

    return migrate


def _keeps_children(_: Any) -> Any:
    return lambda self, token: () if self.entries and self.entries[-1].event == "TokenMoved" else _children(self, token)


def _children(self: Any, token: Any) -> Any:
    return tuple(child for child in self.tokens.values() if child.parent == token.id)


REPAIR_BUGS: Final = (
    ("a moved request follows the new version", pins, "with_pin", lambda _: lambda transition, token: token),
    (
        "a moved token keeps the old name of its step",
        change,
        "_rename",
        lambda _: lambda transition, renamed, anew: None,
    ),
    ("a moved token is sent anew", commands, "migrate", _new_uuids),
    ("goto leaves the called run alone", Transition, "abandon", lambda right: _unless_moved(right)),
    ("goto leaves the branches alone", Transition, "children_of", _keeps_children),
    ("goto does not say so in the history", goto, "replace", lambda _: lambda value, **fields: replace(value)),
    ("an action follows the contract too", action_versions, "_following", lambda _: lambda own, newest: newest),
    ("an action stays where it was", ActionVersions, "sent", lambda _: lambda self, user, name, *rest: self.own[name]),
    ("newer actions are never looked up again", DefinitionCache, "__init__", _never_looks_again),
    ("a late answer is kept each time", answers, "_late", _late_again),
)


def _unless_moved(right: Any) -> Any:
    def abandon(self: Any, token: Any, **more: Any) -> None:
        if not (self.entries and self.entries[-1].event == "TokenMoved"):
            right(self, token, **more)

    return abandon
