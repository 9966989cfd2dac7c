"""Definitions as runs need them, kept in memory: an immutable version is read once per container.

Which version is the newest is remembered for `max_age` only, so that a definition which was submitted through another
container is used by new runs after at most that long; the container through which it came uses it at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Final

from chalicelib.model import definition, json_values
from chalicelib.model.actions import Action, Options
from chalicelib.model.flow import Flow, actions_named
from chalicelib.model.run import DefinitionRef, Run
from chalicelib.model.times import Instant
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.store import Store

KEPT: Final = 1_000
"""How many definitions a container keeps in memory."""


class DefinitionCache:
    """Reads definitions through a cache. Safe to be used by several threads."""

    def __init__(self, store: Store, clock: Clock, defaults: Options, max_age: int) -> None:
        self._store = store
        self._clock = clock
        self._defaults = defaults
        self._max_age = max_age
        self._lock = Lock()
        self._whole: OrderedDict[tuple[str, str], definition.Definition] = OrderedDict()
        self._newest: dict[tuple[str, Kind, str], tuple[Instant, Definition]] = {}

    def of(self, run: Run) -> definition.Definition:
        """The definition that the run obeys. No read if this container has met it. Raises NotFound."""
        ref = run.definition
        key = (run.namespace, f"{ref.flow}@{ref.version} {sorted(ref.actions.items())}" if ref.flow else run.id)
        with self._lock:
            found = self._whole.get(key)
        return found or self._keep(key, self._read(run, ref))

    def newest(self, namespace: str, kind: Kind, names: Iterable[str]) -> dict[str, Definition]:
        """The newest version of each name that is defined, at most `max_age` old."""
        fresh = self._clock.now() - self._max_age
        with self._lock:
            known = {name: self._newest.get((namespace, kind, name)) for name in names}
        found = {name: held[1] for name, held in known.items() if held and held[0] >= fresh}
        missing = known.keys() - found.keys()
        if missing:
            read = self._store.definitions.latest(namespace, kind, missing)
            self.learn(namespace, read.values())
            found.update(read)
        return found

    def learn(self, namespace: str, definitions: Iterable[Definition]) -> None:
        """These are the newest versions now."""
        now = self._clock.now()
        with self._lock:
            if len(self._newest) > KEPT:
                self._newest.clear()
            for definition in definitions:
                self._newest[namespace, definition.kind, definition.name] = (now, definition)

    def forget(self, namespace: str, kind: Kind, name: str) -> None:
        """The name may no longer be defined."""
        with self._lock:
            self._newest.pop((namespace, kind, name), None)

    def of_flow(self, namespace: str, name: str) -> tuple[definition.Definition, DefinitionRef]:
        """The newest version of a flow with the newest versions of its actions. Raises NotFound."""
        found = self.newest(namespace, Kind.FLOW, [name])
        if name not in found:
            raise NotFound("flow", name)
        flow = json_values.decode(found[name].value, Flow)
        return self.assemble(flow, found[name].version, self.actions_for(namespace, flow, {}))

    def actions_for(self, namespace: str, flow: Flow, at_hand: Mapping[str, Definition]) -> dict[str, Definition]:
        """The newest versions of all actions that a run of `flow` may send, those that undo others included.

        `at_hand` are newest versions that the caller holds, perhaps not stored yet. A name that is not defined is
        left out.
        """
        found: dict[str, Definition] = {}
        wanted = set(actions_named(flow))
        while wanted:
            found.update({name: at_hand[name] for name in wanted & at_hand.keys()})
            found.update(self.newest(namespace, Kind.ACTION, wanted - found.keys()))
            checked = [json_values.decode(found[name].value, Action) for name in wanted & found.keys()]
            wanted = {action.undo.action for action in checked if action.undo} - found.keys()
        return found

    def assemble(
        self, flow: Flow, version: int, actions: dict[str, Definition]
    ) -> tuple[definition.Definition, DefinitionRef]:
        """The definition of a run of `flow`, and its reference. Version 0: the run brings the flow along."""
        for name in actions_named(flow) - actions.keys():
            raise NotFound("action", name)
        checked = {name: json_values.decode(action.value, Action) for name, action in actions.items()}
        ref = DefinitionRef(
            flow=flow.name if version else "",
            version=version,
            actions={name: action.version for name, action in actions.items()},
        )
        return definition.Definition(flow=flow, actions=checked, defaults=self._defaults), ref

    def _read(self, run: Run, ref: DefinitionRef) -> definition.Definition:
        definitions = self._store.definitions
        if ref.flow:
            stored = definitions.version(run.namespace, Kind.FLOW, ref.flow, ref.version)
            if stored is None:
                raise NotFound("flow", f"{ref.flow} version {ref.version}")
            flow = json_values.decode(stored.value, Flow)
        else:
            flow = self._store.runs.own_flow(run)
        actions: dict[str, Action] = {}
        for name, version in ref.actions.items():
            action = definitions.version(run.namespace, Kind.ACTION, name, version)
            if action is None:
                raise NotFound("action", f"{name} version {version}")
            actions[name] = json_values.decode(action.value, Action)
        return definition.Definition(flow=flow, actions=actions, defaults=self._defaults)

    def _keep(self, key: tuple[str, str], definition: definition.Definition) -> definition.Definition:
        with self._lock:
            self._whole[key] = definition
            while len(self._whole) > KEPT:
                self._whole.popitem(last=False)
        return definition
