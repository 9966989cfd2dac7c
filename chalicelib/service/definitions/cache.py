"""Cache definitions in memory: each version, which never changes, is read once per container.

Which version is the newest is cached for `max_age` only. So new runs use a definition that was submitted to another
container after at most that time; the container that it was submitted to uses it immediately.
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

MAX_CACHED_DEFINITIONS: Final = 1_000
"""How many definitions one container caches."""


class DefinitionCache:
    """Reads definitions through a cache. Thread-safe. `max_age` is in milliseconds."""

    def __init__(self, store: Store, clock: Clock, defaults: Options, max_age: int) -> None:
        self._store = store
        self._clock = clock
        self._defaults = defaults
        self._max_age = max_age
        self._lock = Lock()
        self._whole: OrderedDict[tuple[str, str], definition.Definition] = OrderedDict()
        self._newest: dict[tuple[str, Kind, str], tuple[Instant, Definition]] = {}

    def of(self, run: Run) -> definition.Definition:
        """Return the definition of the run. A cached definition costs no read. Raises NotFound."""
        ref = run.definition
        key = (run.namespace, f"{ref.flow}@{ref.version} {sorted(ref.actions.items())}" if ref.flow else run.id)
        with self._lock:
            found = self._whole.get(key)
        return found or self._cache(key, self._read(run, ref))

    def newest(self, namespace: str, kind: Kind, names: Iterable[str]) -> dict[str, Definition]:
        """Return the newest version of each name that is defined, cached for at most `max_age`."""
        fresh = self._clock.now() - self._max_age
        with self._lock:
            cached = {name: self._newest.get((namespace, kind, name)) for name in names}
        found = {name: entry[1] for name, entry in cached.items() if entry and entry[0] >= fresh}
        missing = cached.keys() - found.keys()
        if missing:
            read = self._store.definitions.latest(namespace, kind, missing)
            self.learn(namespace, read.values())
            found.update(read)
        return found

    def learn(self, namespace: str, definitions: Iterable[Definition]) -> None:
        """Cache these definitions as the newest versions."""
        now = self._clock.now()
        with self._lock:
            if len(self._newest) > MAX_CACHED_DEFINITIONS:
                self._newest.clear()
            for definition in definitions:
                self._newest[namespace, definition.kind, definition.name] = (now, definition)

    def forget(self, namespace: str, kind: Kind, name: str) -> None:
        """Remove the newest version of a name from the cache."""
        with self._lock:
            self._newest.pop((namespace, kind, name), None)

    def of_flow(self, namespace: str, name: str) -> tuple[definition.Definition, DefinitionRef]:
        """Return the newest version of a flow with the newest versions of its actions. Raises NotFound."""
        found = self.newest(namespace, Kind.FLOW, [name])
        if name not in found:
            raise NotFound("flow", name)
        flow = json_values.decode(found[name].value, Flow)
        return self.assemble(flow, found[name].version, self.actions_for(namespace, flow, {}))

    def actions_for(self, namespace: str, flow: Flow, at_hand: Mapping[str, Definition]) -> dict[str, Definition]:
        """Return the newest versions of all actions that a run of `flow` may call, including undo actions.

        `at_hand` are newest versions that the caller has, perhaps not stored yet. Undefined names are left out.
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
        """Return the definition of a run of `flow`, and its reference. Version 0: the flow belongs to the run alone."""
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

    def _cache(self, key: tuple[str, str], definition: definition.Definition) -> definition.Definition:
        with self._lock:
            self._whole[key] = definition
            while len(self._whole) > MAX_CACHED_DEFINITIONS:
                self._whole.popitem(last=False)
        return definition
