"""A person's orders to runs, and the removal of what is no longer wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib.engine import lifecycle
from chalicelib.engine.errors import CommandRefused
from chalicelib.engine.events import RunContinued, RunPaused, RunRetried, RunStopped, VarsSet
from chalicelib.engine.lifecycle import Command
from chalicelib.model import json_values, status
from chalicelib.model.flow import CallStep, Flow, actions_named, walk
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Busy, NotFound, StillReferred
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import RunQuery, RunStore
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.advance import EventFactory, RunAdvancer

PAGE: Final = 100


class Operator:
    def __init__(self, store: Store, runs: RunStore, definition_cache: DefinitionCache, advancer: RunAdvancer) -> None:
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def pause(self, namespace: str, name: str, *, by: str = "") -> Run:
        """The run sends nothing until it is continued. Raises NotFound, OrderRefused."""
        return self._command(namespace, name, lambda at, nonce: [RunPaused(at=at, nonce=nonce, by=by)])

    def resume(self, namespace: str, name: str, *, by: str = "") -> Run:
        """The paused run goes on, its deadlines moved by the pause. Raises NotFound, OrderRefused."""
        return self._command(namespace, name, lambda at, nonce: [RunContinued(at=at, nonce=nonce, by=by)])

    def stop(self, namespace: str, name: str, *, reason: str = "", by: str = "") -> Run:
        """The run has ended as canceled. Raises NotFound, OrderRefused."""
        return self._command(namespace, name, lambda at, nonce: [RunStopped(at=at, nonce=nonce, by=by, reason=reason)])

    def set_vars(self, namespace: str, name: str, variables: dict[str, Json], *, by: str = "") -> Run:
        """The variables are changed; None removes one. Raises NotFound, OrderRefused once the run has ended."""
        return self._command(namespace, name, lambda at, nonce: [VarsSet(at=at, nonce=nonce, by=by, vars=variables)])

    def retry(self, namespace: str, name: str, *, step: str | None = None, by: str = "") -> Run:
        """The stopped run goes on where it stood, or at `step`. Raises NotFound, OrderRefused, NoSuchStep."""
        return self._command(namespace, name, lambda at, nonce: [RunRetried(at=at, nonce=nonce, by=by, step=step)])

    def delete_run(self, namespace: str, name: str, run_id: str | None = None) -> Run:
        """Nothing of the ended run is left. Raises NotFound (another `run_id` too), OrderRefused while it is live."""
        run = self._runs.load(namespace, name)
        if run is None or run_id not in (None, run.id):
            raise NotFound("flow_run", name)
        if run.status not in lifecycle.ALLOWED[Command.DELETE]:
            raise CommandRefused(name, run.status, Command.DELETE)
        if self._is_awaited(run):
            raise Busy(f"another run has not been told yet how run {name!r} ended; try again")
        self._runs.delete(run)
        return run

    def _is_awaited(self, run: Run) -> bool:
        """Whether a run waits for the end of this one: were it gone, nobody could tell."""
        if run.parent is None:
            return False
        parent = self._runs.load(run.namespace, run.parent.run)
        return parent is not None and parent.status in status.LIVE and parent.token_of(run.parent.uuid) is not None

    def _command(self, namespace: str, name: str, make_events: EventFactory) -> Run:
        advanced = self._advancer.advance(namespace, name, make_events)
        advanced.sole()
        return advanced.run

    # ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def delete_definition(self, namespace: str, kind: Kind, name: str, uuid: str | None = None) -> Definition:
        """The name is no longer defined. Raises NotFound, StillReferred, Conflict."""
        found = self._store.definitions.latest(namespace, kind, [name]).get(name)
        if found is None or uuid not in (None, found.uuid):
            raise NotFound(kind, name)
        referrer = self._referring_flow(namespace, kind, name) or self._referring_run(namespace, kind, name)
        if referrer:
            raise StillReferred(kind, name, referrer)
        self._store.definitions.delete(namespace, found)
        self._definition_cache.forget(namespace, kind, name)
        return found

    def _referring_flow(self, namespace: str, kind: Kind, name: str) -> str:
        after = ""
        while flows := self._store.definitions.list(namespace, Kind.FLOW, PAGE, after):
            for stored in flows:
                if name in _refers_to(kind, json_values.decode(stored.value, Flow)):
                    return f"flow {stored.name!r}"
            after = flows[-1].name
        return ""

    def _referring_run(self, namespace: str, kind: Kind, name: str) -> str:
        cursor: str | None = None
        while True:
            query = RunQuery(statuses=status.LIVE, limit=PAGE, cursor=cursor)
            listing = self._runs.list(namespace, query)
            for run in listing.runs:
                ref = run.definition
                if name in (ref.actions if kind is Kind.ACTION else (ref.flow,)):
                    return f"flow_run {run.name!r}, which is {run.status},"
            cursor = listing.cursor
            if cursor is None:
                return ""


def _refers_to(kind: Kind, flow: Flow) -> Sequence[str] | frozenset[str]:
    if kind is Kind.ACTION:
        return actions_named(flow)
    return frozenset(step.flow for step in walk(flow.steps) if isinstance(step, CallStep))
