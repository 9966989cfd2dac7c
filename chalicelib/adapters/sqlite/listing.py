"""Lists of runs in SQLite. Filters are columns, so a page reads the bodies of hardly any runs but those it returns.

Every query names its index: the one of the rarest thing that is asked for, by the order of `_index`. Without statistics
SQLite could choose another. An index by status, or by flow and status, is read once for each status that is asked for,
so that the runs of a rare status are found without passing the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from chalicelib.adapters.sqlite.database import Database
from chalicelib.model.run import Run, decode_run
from chalicelib.model.status import LIVE, STOPPED, Status
from chalicelib.service.ports.cursors import Position, cursor_at, position_at
from chalicelib.service.ports.runs import MAX_LISTED_BYTES, Counts, Listing, RunQuery, position_in
from chalicelib.service.runs.matching import admits

MAX_COUNTED: Final = 10_000
"""The total of a list is counted up to this number."""

_BODIES_AT_ONCE: Final = 50

_Term: TypeAlias = tuple[str, Sequence[object]]


def listing(database: Database, namespace: str, query: RunQuery) -> Listing:
    """Return one page of the runs that match the query."""
    after = position_at(namespace, query.cursor) if query.cursor else None
    at = "timer_at" if query.due_before is not None else "created_at"
    direction = "DESC" if query.due_before is None else "ASC"
    positions: list[Position] = []
    for statuses in _parts(query):
        source, where, values = _matching(namespace, query, statuses, after)
        sql = f"SELECT runs.{at}, runs.name FROM {source} WHERE {where}"  # noqa: S608 - no text of a caller
        sql += f" ORDER BY {_key(query)}.{at} {direction}, {_key(query)}.name {direction} LIMIT ?"
        positions += database.rows(sql, (*values, query.limit + 1))
    positions.sort(reverse=query.due_before is None)
    page, is_last = positions[: query.limit], len(positions) <= query.limit
    found, last = _heads(database, namespace, query, page)
    if last is not None and last != page[-1]:
        is_last = False
    total = None if after is not None or is_last else _total(database, namespace, query)
    return Listing(tuple(found), None if is_last or last is None else cursor_at(namespace, last), total)


def count(database: Database, namespace: str, query: RunQuery, most: int) -> Counts:
    """Count the runs that match the query by status, each status up to `most`."""
    found: Counter[Status] = Counter()
    more = False
    for statuses in _parts(query):
        source, where, values = _matching(namespace, query, statuses, None)
        rows = f"SELECT runs.status FROM {source} WHERE {where} LIMIT ?"  # noqa: S608 - no text of a caller
        sql = f"SELECT status, count(*) FROM ({rows}) GROUP BY status"  # noqa: S608 - no text of a caller
        counted = {Status(status): number for status, number in database.rows(sql, (*values, most + 1))}
        more = more or sum(counted.values()) > most
        found.update(counted)
    return Counts({status: min(number, most) for status, number in found.items()}, more)


def _total(database: Database, namespace: str, query: RunQuery) -> int:
    """Count the runs that match, up to MAX_COUNTED. Where the index has all that is asked for, no row is read."""
    total = 0
    for statuses in _parts(query):
        source, where, values = _matching(namespace, query, statuses, None)
        rows = f"SELECT 1 FROM {source} WHERE {where} LIMIT ?"  # noqa: S608 - no text of a caller
        total += database.rows(f"SELECT count(*) FROM ({rows})", (*values, MAX_COUNTED - total))[0][0]  # noqa: S608
    return total


def _heads(
    database: Database, namespace: str, query: RunQuery, positions: Sequence[Position]
) -> tuple[list[Run], Position | None]:
    """Return the runs at these positions that match, until they have too many bytes, and the last position looked at.

    A run that is at another position by now is on another page.
    """
    found: list[Run] = []
    room, last = MAX_LISTED_BYTES, None
    for start in range(0, len(positions), _BODIES_AT_ONCE):
        some = positions[start : start + _BODIES_AT_ONCE]
        bodies = _bodies(database, namespace, [name for _, name in some])
        for position in some:
            body = bodies.get(position[1], b"")
            if len(body) > room and found:
                return found, last
            room, last = room - len(body), position
            if body and position == position_in(query, run := decode_run(body)) and admits(query, run):
                found.append(run)
    return found, last


def _bodies(database: Database, namespace: str, names: Sequence[str]) -> dict[str, bytes]:
    marks = ", ".join("?" * len(names))
    sql = f"SELECT name, body FROM runs WHERE namespace = ? AND name IN ({marks})"  # noqa: S608 - no text of a caller
    return dict(database.rows(sql, (namespace, *names)))


def _statuses(query: RunQuery) -> frozenset[Status]:
    """Return the statuses that a matching run can have."""
    statuses = frozenset(Status) if query.statuses is None else query.statuses
    if query.error is not None:
        statuses &= STOPPED
    return statuses if query.due_before is None else statuses & LIVE


def _parts(query: RunQuery) -> Iterator[frozenset[Status]]:
    """Yield the statuses of each part of the index that is read."""
    statuses = _statuses(query)
    if _index(query) in ("runs_by_status", "runs_by_flow"):
        yield from (frozenset({status}) for status in sorted(statuses))
    elif statuses:
        yield statuses


def _index(query: RunQuery) -> str:
    """Return the index that the query reads; `labels` is a table."""
    if query.due_before is not None:
        return "runs_due"
    if query.parent is not None:
        return "runs_by_parent"
    if query.undo_failed:
        return "runs_undo_failed"
    if query.labels:
        return "labels"
    if query.error is not None:
        return "runs_by_error"
    if query.flow is not None:
        return "runs_by_flow"
    return "runs_listed" if query.statuses is None else "runs_by_status"


def _key(query: RunQuery) -> str:
    """Return the table that is read in the order of the index."""
    return "labels" if _index(query) == "labels" else "runs"


def _matching(
    namespace: str, query: RunQuery, statuses: frozenset[Status], after: Position | None
) -> tuple[str, str, tuple[object, ...]]:
    """Return the source, the condition and the values of the part of a query that finds runs of these statuses."""
    index, key = _index(query), _key(query)
    source = "labels CROSS JOIN runs USING (namespace, name)" if key == "labels" else f"runs INDEXED BY {index}"
    terms = [(f"{key}.namespace = ?", (namespace,)), *_labels(query), *_columns(query)]
    if len(statuses) == 1:
        terms.append(("runs.status = ?", tuple(statuses)))
    elif len(statuses) < len(Status):
        terms.append((f"runs.status IN ({', '.join('?' * len(statuses))})", sorted(statuses)))
    if query.since is not None:
        terms.append((f"{key}.created_at >= ?", (query.since,)))
    if query.until is not None:
        terms.append((f"{key}.created_at <= ?", (query.until,)))
    if query.due_before is not None:
        terms.append(("runs.timer_at < ?", (query.due_before,)))
    if after is not None:
        at = f"({key}.created_at, {key}.name) <" if query.due_before is None else "(runs.timer_at, runs.name) >"
        terms.append((f"{at} (?, ?)", after))
    return source, " AND ".join(text for text, _ in terms), tuple(value for _, values in terms for value in values)


def _labels(query: RunQuery) -> Iterator[_Term]:
    """Yield the terms of the labels. The first one is read in its order, where nothing rarer is."""
    first, rest = (query.labels[:1], query.labels[1:]) if _key(query) == "labels" else ((), query.labels)
    for label in first:
        yield "labels.label = ? AND labels.value = ?", label
    for label in rest:
        yield (
            "EXISTS (SELECT 1 FROM labels AS other WHERE other.namespace = runs.namespace AND other.label = ?"
            " AND other.value = ? AND other.created_at = runs.created_at AND other.name = runs.name)",
            label,
        )


def _columns(query: RunQuery) -> Iterator[_Term]:
    for column, value in (
        ("parent", query.parent),
        ("error", query.error),
        ("flow", query.flow),
        ("flow_version", query.version),
    ):
        if value is not None:
            yield f"runs.{column} = ?", (value,)
    if query.undo_failed:
        yield "runs.undo_failed IS NOT NULL", ()
    if query.name_prefix:
        yield "substr(runs.name, 1, ?) = ?", (len(query.name_prefix), query.name_prefix)
