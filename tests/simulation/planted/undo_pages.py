"""Bugs of the pages of pending undos."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from chalicelib.engine.effects import StoreBlob
from chalicelib.engine.transition import Transition
from chalicelib.engine.undo import compensation, undo_pages
from chalicelib.model.pending_undo import UndoPages, page_of


def _not_due_at_the_end(right: Any) -> Any:
    return lambda pages, scope=None: tuple(pages) if scope is None else right(pages, scope)


def _not_due_with_their_scope(right: Any) -> Any:
    return lambda pages, scope=None: tuple(pages) if scope is not None else right(pages)


def _page_not_stored(right: Any) -> Any:
    def emit(self: Any, effect: Any) -> None:
        if not (isinstance(effect, StoreBlob) and effect.key.startswith("undos/")):
            right(self, effect)

    return emit


def _others_forgotten(right: Any) -> Any:
    return lambda transition, undos, pages, others: right(transition, undos, pages, ())


def _others_not_brought_back(right: Any) -> Any:
    def bring_back(transition: Any, pages: UndoPages) -> None:
        page = page_of(transition.read(pages.key))
        right(transition, pages)
        keys = {one.key for one in page.others}
        transition.set_run(undo_pages=tuple(one for one in transition.run.undo_pages if one.key not in keys))

    return bring_back


def _of_the_run(_: Any) -> Any:
    return lambda self, token: "0"


def _also_what_is_paged(right: Any) -> Any:
    def turn(transition: Any) -> None:
        undos = transition.run.undos
        right(transition)
        if transition.run.undo_pages:
            transition.set_run(undos=undos)

    return turn


def _only_when_the_head_has_none(right: Any) -> Any:
    return lambda run, newest: right(run, None) if newest is None else None


def _brought_back_twice(right: Any) -> Any:
    def bring_back(transition: Any, pages: UndoPages) -> None:
        right(transition, pages)
        transition.set_run(undo_pages=(*transition.run.undo_pages, replace(pages, is_due=False)))

    return bring_back


UNDO_PAGE_BUGS: Final = (
    ("paged work not undone when its run fails", compensation, "pages_due", _not_due_at_the_end),
    ("paged work of a lost branch not undone", compensation, "pages_due", _not_due_with_their_scope),
    ("page of undos not stored", Transition, "emit", _page_not_stored),
    ("older pages of undos forgotten", undo_pages, "_store", _others_forgotten),
    ("older pages of undos not brought back", compensation, "bring_back", _others_not_brought_back),
    ("page of undos brought back and kept", compensation, "bring_back", _brought_back_twice),
    ("paged undos also in the head", compensation, "turn_undo_pages", _also_what_is_paged),
    ("work of a branch paged with that of the run", undo_pages._Scopes, "around", _of_the_run),
    ("page of newer undos left until the head has none", compensation, "page_next", _only_when_the_head_has_none),
)
