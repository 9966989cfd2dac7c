"""Work that is undone if its run fails or is canceled, and the pages in which the older part of it is stored."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from chalicelib.model import formats
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import FrozenValue, Json, ready


class PinnedUndo(FrozenValue, frozen=True, kw_only=True):
    """What the step declares of its undo in the version of the flow in which it finished."""

    is_flow: bool = msgspec.field(name="f", default=False)
    references: dict[str, Json] = msgspec.field(name="r", default_factory=dict)
    """Args that refer to secrets of the namespace: templates, evaluated when the action is sent."""


class PendingUndo(FrozenValue, frozen=True, kw_only=True):
    """A finished step that is undone if the run fails or is canceled: the action that does so, and its args."""

    step: str = msgspec.field(name="s")
    action: str = msgspec.field(name="a")
    args: dict[str, Json] = msgspec.field(name="g", default_factory=dict)
    state: str = msgspec.field(name="t", default="")
    """The state that the step returned."""
    uuid: str = msgspec.field(name="u", default="")
    """The activation that did the work."""
    token: str = msgspec.field(name="k", default=ROOT)
    """The token that was at the step."""
    incomplete: str = msgspec.field(name="i", default="")
    """Why not all of its args could be made; empty if they could."""
    failed: str = msgspec.field(name="f", default="")
    """Why the undo failed; empty if it has not failed."""
    is_due: bool = msgspec.field(name="d", default=False)
    """Whether it is undone now: the run fails, its branch lost, or its failed item was tolerated."""
    is_retried: bool = msgspec.field(name="r", default=False)
    """Whether a person had it done again. What else the run did is not undone by that."""
    pinned: PinnedUndo | None = msgspec.field(name="p", default=None)
    """How it is sent, if the run has moved to another version of its flow since it was registered."""
    number: int = msgspec.field(name="n", default=0)
    """Its place in the order in which work was registered, from 1; 0 while it is newer than all that have a number."""


class UndoPages(FrozenValue, frozen=True, kw_only=True):
    """Pages with pending undos of one scope. The page with this key refers to the others."""

    key: str = msgspec.field(name="b")
    """The key of the blob that holds the page."""
    newest: int = msgspec.field(name="n")
    """The highest number of an undo in all these pages."""
    token: str = msgspec.field(name="k", default=ROOT)
    """The scope: the token of which the work is."""
    is_due: bool = msgspec.field(name="d", default=False)
    """Whether all that is in them is undone now."""


class UndoPage(FrozenValue, frozen=True, kw_only=True):
    """A part of the pending undos of one scope, none of which was due or had failed when it was stored."""

    undos: tuple[PendingUndo, ...] = msgspec.field(name="u", default=())
    """Oldest first."""
    others: tuple[UndoPages, ...] = msgspec.field(name="o", default=())
    """The pages of the scope to which the head referred before."""


_KEY: Final = "undos/"


def page_key(page: UndoPage) -> str:
    """Return the key of the page's blob. It is derived from the content: so a blob never changes."""
    return _KEY + hashlib.sha256(msgspec.json.encode(page)).hexdigest()[:32]


def page_value(page: UndoPage) -> Json:
    """Return the page as it is stored, in the current format."""
    value = msgspec.to_builtins(page)
    return value if formats.UNDO_PAGE.current == 1 else {**value, formats.MEMBER: formats.UNDO_PAGE.current}


def page_of(value: Json) -> UndoPage:
    """Return the page that `page_value` of this or an earlier version made. Raises NewerFormat."""
    return msgspec.convert(formats.UNDO_PAGE.upgrade(value, value.get(formats.MEMBER, 1)), UndoPage)


ready(UndoPage)
