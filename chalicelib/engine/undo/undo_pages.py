"""Pages of pending undos: old ones leave the head, and come back when they are due.

Theory of operation. The head holds the newest undos, and refers to pages that hold the others. A page is a blob of the
run, written before the head that refers to it, under a key that is derived from its content. It also has the
references that the head had until then, so a head refers to one page of each scope, however many there are.

Undos are paged by scope: the innermost branch or item around them that may still be undone by itself. So what is to be
undone is either all that a reference leads to, or nothing of it. An item that has finished is no such scope any
more: its undos, and its pages, are those of the scope around it. What is due already keeps its scope.

Work is undone in the reverse of the order in which it was registered. An undo that stays in the head when others are
paged gets a number, as those in pages have, and the page with the highest number comes back next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.engine.scopes import in_scope
from chalicelib.engine.transition import Transition
from chalicelib.model.pending_undo import PendingUndo, UndoPage, UndoPages, page_key, page_of, page_value
from chalicelib.model.run import Run, Token
from chalicelib.model.waits import ForkWait

MAX_BYTES: Final = 640
"""Bytes of JSON of the undos of one scope that stay in the head. With it a page is below the kilobyte that DynamoDB
bills as one write; an undo has about 90."""

_NOT_NUMBERED: Final = 1 << 62
"""Follows every number: undos without one are the newest."""


def turn_undo_pages(transition: Transition) -> None:
    """Move pending undos to pages, where those of a scope take more than MAX_BYTES.

    The newest stays in the head, and so do those that have failed and the one that is being undone.
    """
    run = transition.run
    if len(run.undos) < 2 or len(msgspec.json.encode(run.undos[:-1])) <= MAX_BYTES:
        return
    undos, scopes = _numbered(run), _Scopes(transition)
    undoing = transition.tokens.get(UNDO)
    groups: dict[tuple[str, bool], list[PendingUndo]] = {}
    for undo in undos[:-1]:
        if not undo.failed and (undoing is None or undo.uuid != undoing.undoes):
            scope = undo.token if undo.is_due else scopes.around(undo.token)
            groups.setdefault((scope, undo.is_due), []).append(undo)
    paged: set[int] = set()
    kept = [one if one.is_due else replace(one, token=scopes.around(one.token)) for one in run.undo_pages]
    for (scope, is_due), group in groups.items():
        others = tuple(pages for pages in kept if (pages.token, pages.is_due) == (scope, is_due))
        if len(msgspec.json.encode((group, others))) > MAX_BYTES:
            paged.update(undo.number for undo in group)
            pages = _store(transition, group, UndoPages(key="", newest=0, token=scope, is_due=is_due), others)
            kept = [*(one for one in kept if one not in others), pages]
    if paged:
        undos = tuple(undo for undo in undos if undo.number not in paged)
        transition.set_run(undos=undos, undo_pages=tuple(kept))


def page_next(run: Run, newest: PendingUndo | None) -> UndoPages | None:
    """Return the pages of which the first must come back before `newest` is undone: the newest due undo in the head."""
    due = [pages for pages in run.undo_pages if pages.is_due]
    pages = max(due, key=lambda one: one.newest, default=None)
    if pages is None or (newest is not None and (not newest.number or newest.number > pages.newest)):
        return None
    return pages


def bring_back(transition: Transition, pages: UndoPages) -> None:
    """Put the first of these pages into the head, and the references that it holds."""
    run = transition.run
    undos, others = _read(transition, pages)
    undo_pages = (*(one for one in run.undo_pages if one is not pages), *others)
    transition.set_run(undos=_in_order((*run.undos, *undos)), undo_pages=undo_pages)


def bring_all_back(transition: Transition) -> None:
    """Put all pages into the head."""
    left, undos = list(transition.run.undo_pages), list(transition.run.undos)
    if not left:
        return
    while left:
        read, others = _read(transition, left.pop())
        undos += read
        left += others
    transition.set_run(undos=_in_order(undos), undo_pages=())


def _read(transition: Transition, pages: UndoPages) -> tuple[Iterable[PendingUndo], Iterable[UndoPages]]:
    """Return what the first of these pages holds: undos, and the references to the others."""
    page = page_of(transition.read(pages.key))
    undos = (replace(undo, token=pages.token, is_due=pages.is_due) for undo in page.undos)
    return undos, (replace(one, token=pages.token, is_due=pages.is_due) for one in page.others)


def _in_order(undos: Iterable[PendingUndo]) -> tuple[PendingUndo, ...]:
    return tuple(sorted(undos, key=lambda undo: undo.number or _NOT_NUMBERED))


def pages_due(pages: Iterable[UndoPages], scope: str | None = None) -> tuple[UndoPages, ...]:
    """Return the references, with those to the pages of the scope (None: all) due."""
    return tuple(replace(one, is_due=one.is_due or scope is None or in_scope(one.token, scope)) for one in pages)


def pages_adopted(pages: Iterable[UndoPages], scope: str) -> tuple[UndoPages, ...]:
    """Return the references, with those to the pages of scopes below the scope as its own."""
    return tuple(replace(one, token=scope) if in_scope(one.token, scope) else one for one in pages)


class _Scopes:
    """Finds the scopes that may still be undone by themselves."""

    def __init__(self, transition: Transition) -> None:
        self._tokens = transition.tokens
        self._known: dict[str, str] = {}

    def around(self, token: str) -> str:
        """Return the innermost such scope around the work of a token: the token's id, or that of one above it."""
        found = self._known.get(token)
        if found is None:
            above, dot, _ = token.rpartition(".")
            found = self._known[token] = token if not dot or self._is_at_stake(token, above) else self.around(above)
        return found

    def _is_at_stake(self, token: str, above: str) -> bool:
        """Return whether the branch or item can lose. A branch that has finished counts until its fork returns."""
        parent = self._tokens.get(above)
        return parent is not None and (token in self._tokens or _is_fork(parent))


def _is_fork(token: Token) -> bool:
    return token.activation is not None and isinstance(token.activation.wait, ForkWait)


def _numbered(run: Run) -> tuple[PendingUndo, ...]:
    """Return the undos of the head with a number each, but the newest, which may stay without."""
    last = max((*(pages.newest for pages in run.undo_pages), *(undo.number for undo in run.undos)))
    numbered: list[PendingUndo] = []
    for undo in run.undos[:-1]:
        last += not undo.number
        numbered.append(undo if undo.number else replace(undo, number=last))
    return (*numbered, run.undos[-1])


def _store(
    transition: Transition, undos: Sequence[PendingUndo], pages: UndoPages, others: tuple[UndoPages, ...]
) -> UndoPages:
    """Store the undos as pages that lead to `others`, and return a reference like `pages` to them."""
    for chunk in _chunks(undos):
        page = UndoPage(undos=tuple(replace(undo, token=pages.token, is_due=False) for undo in chunk), others=others)
        newest = max((*(undo.number for undo in chunk), *(one.newest for one in others)))
        pages = replace(pages, key=page_key(page), newest=newest)
        others = (pages,)
        transition.store_blob(pages.key, page_value(page))
    return pages


def _chunks(undos: Sequence[PendingUndo]) -> Iterator[Sequence[PendingUndo]]:
    """Yield the undos in pages, oldest first."""
    first, size = 0, 0
    for number, undo in enumerate(undos, 1):
        size += len(msgspec.json.encode(undo))
        if size > MAX_BYTES or number == len(undos):
            yield undos[first:number]
            first, size = number, 0
