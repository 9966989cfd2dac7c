"""The items of an each: how far each of them is.

While the each waits, its wait in the head knows which items have finished, failed, or not started, and the tokens in
the head are those that run. What finished items returned is in blobs, in the order in which they finished. The errors
of failed ones are in the history. Of an each that has returned, only the history has what its items did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Final

import msgspec

from chalicelib.engine.scopes import child_id
from chalicelib.engine.transition import BlobReader
from chalicelib.model.definition import Definition
from chalicelib.model.flow import DONE, STOPPED, EachStep
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import EachWait
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.details.kinds import ItemStatus
from chalicelib.service.details.progress import Progress, each_wait_of, progress_at
from chalicelib.service.errors import Invalid, NotFound
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.entries import newest
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.value_places import key_in

MAX_READ_CHUNKS: Final = 400
"""How many chunks of results one request reads: those of about 20,000 items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of an each; a batch, if it works on several together."""

    index: int
    token: str
    status: ItemStatus
    step: str = ""
    """Where it is, or where it failed."""
    error: str = ""
    error_name: str = ""
    output: Json = None
    since: Instant | None = None
    """Since when it waits at its step, or when it ended, if that is known."""


@dataclass(frozen=True, slots=True)
class Span:
    """Items that follow one another and have the same status."""

    status: ItemStatus
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A page of the items of an each, and from which index the next one goes on (None: it is the last)."""

    progress: Progress
    items: tuple[Item, ...]
    after: int | None
    first_read: int
    """The first history entry that was read: errors and ends of items before it are not known."""
    spans: tuple[Span, ...] = ()
    """The statuses of all items that are known, by index, if they were asked for."""


class Items:
    """Reads the items of eaches."""

    def __init__(self, runs: OffloadingRunStore, definition_cache: DefinitionCache) -> None:
        self._runs = runs
        self._definition_cache = definition_cache

    def page(
        self,
        namespace: str,
        name: str,
        *,
        step: str | None = None,
        token: str | None = None,
        status: ItemStatus | None = None,
        after: int = -1,
        limit: int = 50,
        has_spans: bool = False,
    ) -> ItemPage:
        """Return the items with an index above `after`, at most `limit`, with that status; with `has_spans` also the
        statuses of all items.

        `step` is an each, which need not be named if the flow has one; `token` the token at it, if there are several.
        Raises NotFound, Invalid.
        """
        run = self._runs.load(namespace, name)
        if run is None:
            raise NotFound("flow_run", name)
        definition = self._definition_cache.of(run)
        step = _each_named(definition, run, step)
        waiting = [one for one in run.tokens if one.step == step and each_wait_of(one) and token in (None, one.id)]
        if waiting:
            found, statuses = self._of_wait(run, waiting[0], status, after, limit)
        else:
            found, statuses = self._of_history(run, definition, step, token, status, after, limit)
        return replace(found, spans=tuple(_spans(statuses))) if has_spans else found

    # ── while it waits ───────────────────────────────────────────────────────────────────────────────────────────────

    def _of_wait(
        self, run: Run, token: Token, status: ItemStatus | None, after: int, limit: int
    ) -> tuple[ItemPage, Iterator[tuple[int, ItemStatus]]]:
        wait = each_wait_of(token)
        if wait is None:
            raise LookupError(f"token {token.id} waits for no items")
        running = {one.index: one for one in run.tokens if one.parent == token.id and one.index is not None}
        failed = {*wait.failed, *self._failures(run, wait, range(wait.failed_from, wait.failed_to))}
        again = {*wait.again, *self._failures(run, wait, range(wait.again_from, wait.failed_from))}
        known = _Known(token, wait, running, failed, again)
        found = list(islice(known.indexes(status, after), limit + 1))
        shown, is_more = found[:limit], len(found) > limit
        outputs = self._outputs(run, wait) if any(known.status(n) is ItemStatus.DONE for n in shown) else {}
        first, ends = 1, dict[str, Entry]()
        if any(known.status(n) is ItemStatus.FAILED for n in shown):
            window = newest(self._runs, run)
            first, ends = window.first, _ends(window.entries)
        page = ItemPage(
            progress=progress_at(token, wait, len(running)),
            items=tuple(known.item(n, outputs, ends) for n in shown),
            after=shown[-1] if is_more else None,
            first_read=first,
        )
        return page, known.statuses()

    def _outputs(self, run: Run, wait: EachWait) -> dict[int, Json]:
        """Return what finished items returned, by their indexes."""
        found = dict(wait.results)
        chunks = range(max(0, wait.stored_chunks - MAX_READ_CHUNKS), wait.stored_chunks)
        for body in self._runs.blobs(run, [wait.results_key(chunk) for chunk in chunks]).values():
            found.update((index, output) for index, output in msgspec.json.decode(body))
        return found

    def _failures(self, run: Run, wait: EachWait, chunks: range) -> Iterator[int]:
        """Yield the indexes of failed items in these chunks."""
        for body in self._runs.blobs(run, map(wait.failures_key, chunks)).values():
            yield from msgspec.json.decode(body, type=list[int])

    # ── when it has returned ─────────────────────────────────────────────────────────────────────────────────────────

    def _of_history(
        self,
        run: Run,
        definition: Definition,
        step: str,
        token: str | None,
        status: ItemStatus | None,
        after: int,
        limit: int,
    ) -> tuple[ItemPage, Iterator[tuple[int, ItemStatus]]]:
        window = newest(self._runs, run)
        parent = token or _last_parent(definition, window.entries, step)
        depth = parent.count(".") + 1
        latest: dict[int, Entry] = {}
        for entry in window.entries:
            if entry.token == parent and entry.target == step:
                latest.clear()  # it was entered again
            elif entry.token.startswith(f"{parent}.") and entry.step:
                index = entry.token.split(".")[depth]
                if index.isdigit() and entry.token.count(".") == depth:
                    latest[int(index)] = entry
        found = [_past_item(parent, index, latest[index]) for index in sorted(latest)]
        read = blob_reader(self._runs, run)
        wanted = [one for one in found if status in (None, one.status)]
        behind = [one for one in wanted if one.index > after]
        count = {one: sum(item.status is one for item in found) for one in ItemStatus}
        progress = Progress(
            step=step,
            token=parent,
            total=len(found),
            done=count[ItemStatus.DONE],
            failed=count[ItemStatus.FAILED],
            running=count[ItemStatus.RUNNING],
            left=0,
        )
        shown = tuple(_with_output(item, read) for item in behind[:limit])
        more = shown[-1].index if len(behind) > limit else None
        page = ItemPage(progress=progress, items=shown, after=more, first_read=window.first)
        return page, ((item.index, item.status) for item in found)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the head and its blobs know of the items of an each."""

    token: Token
    wait: EachWait
    running: Mapping[int, Token]
    failed: Set[int]
    again: Set[int]
    """Those that start again."""

    def indexes(self, status: ItemStatus | None, after: int) -> Iterator[int]:
        """Yield the indexes above `after` of items with that status, in order."""
        if status is ItemStatus.FAILED:
            yield from (n for n in sorted(self.failed) if n > after)
        elif status is ItemStatus.RUNNING:
            yield from (n for n in sorted(self.running) if n > after)
        else:
            yield from (n for n, found in self.statuses(after) if status in (None, found))

    def statuses(self, after: int = -1) -> Iterator[tuple[int, ItemStatus]]:
        """Yield the indexes above `after`, in order, with the statuses of the items."""
        return ((n, self.status(n)) for n in range(after + 1, self.wait.count))

    def status(self, index: int) -> ItemStatus:
        if index in self.running:
            return ItemStatus.RUNNING
        if index in self.failed:
            return ItemStatus.FAILED
        return ItemStatus.WAITING if index >= self.wait.next or index in self.again else ItemStatus.DONE

    def item(self, index: int, outputs: Mapping[int, Json], ends: Mapping[str, Entry]) -> Item:
        token_id, status = child_id(self.token.id, index), self.status(index)
        running, end = self.running.get(index), ends.get(token_id)
        if running is not None:
            since = running.activation.since if running.activation else None
            return Item(index=index, token=token_id, status=status, step=running.step, since=since)
        if status is ItemStatus.DONE:
            return Item(index=index, token=token_id, status=status, output=outputs.get(index))
        if status is ItemStatus.FAILED and end is not None:
            return Item(
                index=index,
                token=token_id,
                status=status,
                step=end.step,
                error=end.error,
                error_name=end.error_name,
                since=end.at,
            )
        return Item(index=index, token=token_id, status=status)


def _spans(statuses: Iterator[tuple[int, ItemStatus]]) -> Iterator[Span]:
    """Yield the items that follow one another with the same status."""
    for (_, status), group in groupby(enumerate(statuses), key=lambda one: (one[1][0] - one[0], one[1][1])):
        found = [index for _, (index, _) in group]
        yield Span(status, found[0], len(found))


def _each_named(definition: Definition, run: Run, step: str | None) -> str:
    """Return the name of the each. Raises NotFound, Invalid."""
    eaches = [name for name, compiled in definition.steps.items() if isinstance(compiled.step, EachStep)]
    if step is not None:
        if step not in eaches:
            raise NotFound("each", step)
        return step
    if not eaches:
        raise NotFound("each in the flow of flow_run", run.name)
    live = list(dict.fromkeys(token.step for token in run.tokens if each_wait_of(token)))
    found = live if len(live) == 1 else eaches
    if len(found) > 1:
        raise Invalid(f"the flow has several eaches: `step` must be one of {', '.join(found)}")
    return found[0]


def _ends(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    """Return the last entry by which each token ended with an error."""
    return {entry.token: entry for entry in entries if entry.target == STOPPED and entry.step}


def _last_parent(definition: Definition, entries: tuple[Entry, ...], step: str) -> str:
    """Return the token that was at the each last."""
    entered = [entry for entry in entries if entry.target == step or entry.step == step]
    if entered:
        return entered[-1].token
    inner = {name for name, compiled in definition.steps.items() if compiled.parent == step}
    tokens = [entry.token for entry in entries if entry.step in inner]
    return tokens[-1].rpartition(".")[0] if tokens else ""


def _with_output(item: Item, read: BlobReader) -> Item:
    """Return the item with its output, which may be a reference."""
    key = key_in(item.output)
    return item if key is None else replace(item, output=read(key))


def _past_item(parent: str, index: int, last: Entry) -> Item:
    status = ItemStatus.RUNNING
    if last.target == DONE:
        status = ItemStatus.DONE
    elif last.target == STOPPED:
        status = ItemStatus.FAILED
    is_done = status is ItemStatus.DONE
    return Item(
        index=index,
        token=child_id(parent, index),
        status=status,
        step="" if is_done else last.step,
        error=last.error,
        error_name=last.error_name,
        output=last.data if is_done else None,
        since=last.at,
    )
