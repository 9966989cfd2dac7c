"""The definitions of runs, compiled and kept in memory: a version never changes, so a container reads it once.

Which version is the newest is cached for `max_age` only. A definition that was submitted through another container is
used by new runs after at most that time; the container that received it uses it immediately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Final

import msgspec

from chalicelib.model import definition, json_values
from chalicelib.model.actions import Action, Options
from chalicelib.model.flow import Flow, actions_named
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Run
from chalicelib.model.statements import Config
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.errors import NotFound
from chalicelib.service.ports.clock import Clock
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.store import Store

MAX_CACHED_DEFINITIONS: Final = 1_000
"""How many definitions a container keeps in memory."""

FOLLOW_MS: Final = 5_000
"""After how long a container looks for newer versions of the actions of a run: one read for all of them."""


class DefinitionCache:
    """Reads definitions through a cache. Safe for use by several threads."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        defaults: Options,
        max_age: int,
        max_steps: int,
        keep: Milliseconds | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._defaults = defaults
        self._max_age = max_age
        self._max_steps = max_steps
        self._keep_ms = keep
        self._lock = Lock()
        self._compiled: OrderedDict[tuple[str, str], definition.Definition] = OrderedDict()
        self._newest: dict[tuple[str, Kind, str], tuple[Instant, Definition]] = {}
        self._undefined: dict[tuple[str, Kind, str], Instant] = {}
        self._follow_age = max(max_age, FOLLOW_MS)
        self._followed: dict[tuple[str, str], tuple[Instant, definition.Definition]] = {}
        """Definitions with the newest versions of their actions, and when these were looked up."""

    def of(self, run: Run) -> definition.Definition:
        """Return the definition of the run, in which actions follow their newest versions. Raises NotFound.

        It costs no read if this container has it, but one of the newest versions every FOLLOW_MS.
        """
        ref = run.definition
        key = _key(run.namespace, ref) if ref.flow else (run.namespace, run.id)
        cached = self._followed.get(key)
        if cached is not None and cached[0] >= self._clock.now() - self._follow_age:
            return cached[1]
        newest = self._newer_actions(run.namespace, ref)
        whole = (key[0], f"{key[1]} {sorted((name, found.version) for name, found in newest.items())}")
        whole = whole if newest else key
        found = self._cached(whole) or self._keep(whole, self._read(run, ref, newest))
        if len(self._followed) > MAX_CACHED_DEFINITIONS:
            self._followed.clear()
        self._followed[key] = (self._clock.now(), found)
        return found

    def _newer_actions(self, namespace: str, ref: DefinitionRef) -> dict[str, Definition]:
        """Return the actions of the run that have newer versions, as they were at most FOLLOW_MS ago."""
        fresh = self._clock.now() - self._follow_age
        missing, found = list[str](), dict[str, Definition]()
        with self._lock:
            for name in ref.actions:
                cached = self._newest.get((namespace, Kind.ACTION, name))
                if cached is not None and cached[0] >= fresh:
                    found[name] = cached[1]
                elif self._undefined.get((namespace, Kind.ACTION, name), -1) < fresh:
                    missing.append(name)
        if missing:
            read = self._store.definitions.latest(namespace, Kind.ACTION, missing)
            self.learn(namespace, read.values())
            self._learn_undefined(namespace, Kind.ACTION, [name for name in missing if name not in read])
            found.update(read)
        return {name: one for name, one in found.items() if one.version > ref.actions[name]}

    def _learn_undefined(self, namespace: str, kind: Kind, names: Iterable[str]) -> None:
        now = self._clock.now()
        with self._lock:
            if len(self._undefined) > MAX_CACHED_DEFINITIONS:
                self._undefined.clear()
            self._undefined.update({(namespace, kind, name): now for name in names})

    def newest(self, namespace: str, kind: Kind, names: Iterable[str]) -> dict[str, Definition]:
        """Return the newest version of each name that is defined, at most `max_age` old."""
        fresh = self._clock.now() - self._max_age
        with self._lock:
            known = {name: self._newest.get((namespace, kind, name)) for name in names}
        found = {name: cached[1] for name, cached in known.items() if cached and cached[0] >= fresh}
        missing = known.keys() - found.keys()
        if missing:
            read = self._store.definitions.latest(namespace, kind, missing)
            self.learn(namespace, read.values())
            found.update(read)
        return found

    def if_defined(self, namespace: str, kind: Kind, name: str) -> Definition | None:
        """Return the newest version of the name, or None if it is not defined; both are at most `max_age` old."""
        key, now = (namespace, kind, name), self._clock.now()
        with self._lock:
            if self._undefined.get(key, -1) >= now - self._max_age:
                return None
        found = self.newest(namespace, kind, [name]).get(name)
        if found is None:
            self._learn_undefined(namespace, kind, [name])
        return found

    def config_values(self, namespace: str, names: Iterable[str]) -> dict[str, Json]:
        """Return the newest values of the configuration with these names. Raises NotFound."""
        wanted = set(names)
        found = self.newest(namespace, Kind.CONFIG, wanted) if wanted else {}
        for name in sorted(wanted - found.keys()):
            raise NotFound("config", name)
        return {name: json_values.decode(one.value, Config).value for name, one in found.items()}

    def learn(self, namespace: str, definitions: Iterable[Definition]) -> None:
        """Cache these as the newest versions."""
        now = self._clock.now()
        with self._lock:
            if len(self._newest) > MAX_CACHED_DEFINITIONS:
                self._newest.clear()
            self._followed.clear()
            for definition in definitions:
                self._newest[namespace, definition.kind, definition.name] = (now, definition)
                self._undefined.pop((namespace, definition.kind, definition.name), None)

    def forget(self, namespace: str, kind: Kind, name: str) -> None:
        """Read the newest version of the name again when it is next asked for."""
        with self._lock:
            self._newest.pop((namespace, kind, name), None)
            self._followed.clear()

    def forget_newest(self) -> None:
        """Read again which versions are the newest, when they are next asked for."""
        with self._lock:
            self._newest.clear()
            self._undefined.clear()
            self._followed.clear()

    def of_flow(self, namespace: str, name: str) -> tuple[definition.Definition, DefinitionRef]:
        """Return the newest version of a flow with the newest versions of its actions. Raises NotFound."""
        found = self.newest(namespace, Kind.FLOW, [name])
        if name not in found:
            raise NotFound("flow", name)
        flow, version = _flow(found[name].value), found[name].version
        parts = self._parts(namespace, flow, {})
        ref = _reference(flow, version, parts)
        key = _key(namespace, ref)
        return self._cached(key) or self._keep(key, self._compile(flow, parts)), ref

    def of_version(self, run: Run, version: int | None) -> tuple[definition.Definition, DefinitionRef]:
        """Return a version of the run's flow (None: the newest), with the newest versions of its actions.

        It also knows the actions that undo what the run has done, in the run's versions. What is the newest is read,
        because a person may have submitted it a moment ago through another container. Raises NotFound.
        """
        name = run.definition.flow
        if version is None:
            newest = self._store.definitions.latest(run.namespace, Kind.FLOW, [name])
            if name not in newest:
                raise NotFound("flow", name)
            found = newest[name]
        else:
            found = self._version(run, Kind.FLOW, name, version)
        flow = _flow(found.value)
        self.learn(
            run.namespace, self._store.definitions.latest(run.namespace, Kind.ACTION, actions_named(flow)).values()
        )
        parts = self._parts(run.namespace, flow, {})
        undoing = self.of(run).undoing_actions - parts.actions.keys()
        kept = {name: self._version(run, Kind.ACTION, name, run.definition.actions[name]) for name in undoing}
        parts = _Parts({**parts.actions, **kept}, parts.configs)
        ref = _reference(flow, found.version, parts)
        key = _key(run.namespace, ref)
        return self._cached(key) or self._keep(key, self._compile(flow, parts)), ref

    def assemble(
        self, namespace: str, flow: Flow, version: int, at_hand: Mapping[Kind, Mapping[str, Definition]]
    ) -> tuple[definition.Definition, DefinitionRef]:
        """Return the definition of a run of `flow` and its reference. Version 0: the run has steps of its own.

        `at_hand` are newest versions that the caller has already, perhaps not stored yet. Raises NotFound.
        """
        parts = self._parts(namespace, flow, at_hand)
        return self._compile(flow, parts), _reference(flow, version, parts)

    def _parts(self, namespace: str, flow: Flow, at_hand: Mapping[Kind, Mapping[str, Definition]]) -> _Parts:
        """Return the newest versions of all that a run of `flow` uses. Raises NotFound."""
        actions = self._actions_for(namespace, flow, at_hand.get(Kind.ACTION, {}))
        for name in actions_named(flow) - actions.keys():
            raise NotFound("action", name)
        wanted = definition.configs_of(flow, (_action(found.value) for found in actions.values()))
        known = at_hand.get(Kind.CONFIG, {})
        configs = {name: known[name] for name in wanted & known.keys()}
        configs.update(self.newest(namespace, Kind.CONFIG, wanted - configs.keys()) if wanted - configs.keys() else {})
        for name in wanted - configs.keys():
            raise NotFound("config", name)
        return _Parts(actions, configs)

    def _actions_for(self, namespace: str, flow: Flow, at_hand: Mapping[str, Definition]) -> dict[str, Definition]:
        """Return the newest versions of all actions that a run of `flow` may send, with those that undo others.

        A name that is not defined is left out.
        """
        found: dict[str, Definition] = {}
        wanted = set(actions_named(flow))
        while wanted:
            found.update({name: at_hand[name] for name in wanted & at_hand.keys()})
            found.update(self.newest(namespace, Kind.ACTION, wanted - found.keys()))
            actions = [_action(found[name].value) for name in wanted & found.keys()]
            wanted = {undo.action for action in actions if (undo := action.undo) and not undo.is_flow} - found.keys()
        return found

    def _read(self, run: Run, ref: DefinitionRef, newest: Mapping[str, Definition]) -> definition.Definition:
        if ref.flow:
            flow = _flow(self._version(run, Kind.FLOW, ref.flow, ref.version).value)
        else:
            flow = self._store.runs.own_flow(run)
        actions = {name: self._version(run, Kind.ACTION, name, version) for name, version in ref.actions.items()}
        configs = {name: self._version(run, Kind.CONFIG, name, version) for name, version in ref.configs.items()}
        return self._compile(flow, _Parts(actions, configs), newest)

    def _version(self, run: Run, kind: Kind, name: str, version: int) -> Definition:
        found = self._store.definitions.version(run.namespace, kind, name, version)
        if found is None:
            raise NotFound(kind, f"{name} version {version}")
        return found

    def _compile(
        self, flow: Flow, parts: _Parts, newest: Mapping[str, Definition] | None = None
    ) -> definition.Definition:
        return definition.Definition(
            flow=flow,
            actions={name: _action(found.value) for name, found in parts.actions.items()},
            newest={name: _action(found.value) for name, found in (newest or {}).items()},
            defaults=self._defaults,
            max_steps=self._max_steps,
            keep=self._keep_ms,
            config={name: json_values.decode(found.value, Config).value for name, found in parts.configs.items()},
        )

    def _cached(self, key: tuple[str, str]) -> definition.Definition | None:
        with self._lock:
            return self._compiled.get(key)

    def _keep(self, key: tuple[str, str], definition: definition.Definition) -> definition.Definition:
        with self._lock:
            self._compiled[key] = definition
            while len(self._compiled) > MAX_CACHED_DEFINITIONS:
                self._compiled.popitem(last=False)
        return definition


def _key(namespace: str, ref: DefinitionRef) -> tuple[str, str]:
    return namespace, f"{ref.flow}@{ref.version} {sorted(ref.actions.items())} {sorted(ref.configs.items())}"


class _Parts(msgspec.Struct, frozen=True):
    """The actions and values of the configuration that a run uses, by name."""

    actions: Mapping[str, Definition]
    configs: Mapping[str, Definition]


def _reference(flow: Flow, version: int, parts: _Parts) -> DefinitionRef:
    return DefinitionRef(
        flow=flow.name if version else "",
        version=version,
        actions={name: found.version for name, found in parts.actions.items()},
        configs={name: found.version for name, found in parts.configs.items()},
    )


@lru_cache(MAX_CACHED_DEFINITIONS)
def _flow(value: bytes) -> Flow:
    """Decode a stored flow; the same bytes are decoded once."""
    return json_values.decode(value, Flow)


@lru_cache(MAX_CACHED_DEFINITIONS)
def _action(value: bytes) -> Action:
    return json_values.decode(value, Action)
