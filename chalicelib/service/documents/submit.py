"""Submit an FSL document: all of its statements take effect, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from chalicelib import expressions, language
from chalicelib.engine.effects import Decision
from chalicelib.language import Checked, Document, Operations, Statement
from chalicelib.language.problems import in_order
from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.hooks import Hook, HookEvent
from chalicelib.model.recurrence.schedule import Schedule
from chalicelib.model.statements import Config, EventType
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.doctor.stuck import StuckWatch
from chalicelib.service.documents.expected import NOTHING_EXPECTED, Expected, check_expected
from chalicelib.service.documents.results import (
    Change,
    FslMalformed,
    FslRefused,
    Inspected,
    Submission,
    Submitted,
    WrongStatement,
)
from chalicelib.service.documents.versions import check_size, versions
from chalicelib.service.errors import Conflict, RunExists
from chalicelib.service.hooks.book import HookBook
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.new_run import RunFactory, RunPlan
from chalicelib.service.runs.offloading import OffloadingRunStore
from chalicelib.service.runs.references import OffloadedHead, offload_head
from chalicelib.service.schedules.scheduler import Scheduler
from chalicelib.service.security.secrets import Secrets

MAX_ATTEMPTS: Final = 5
"""How often a document is submitted again after other requests changed the same definitions."""

MAX_SUGGESTED_NAMES: Final = 1_000
"""How many names of each kind are searched for a suggestion."""

Definitions: TypeAlias = dict[Kind, dict[str, Definition]]


@dataclass(frozen=True, slots=True)
class _PlannedRun:
    """A run of the document: its first decision, and its head as it will be stored."""

    decision: Decision
    head: OffloadedHead
    own: Flow | None

    @property
    def new(self) -> NewRun:
        return NewRun(self.head.run, self.own, self.head.body)


class _Catalog:
    """The definitions that a document refers to, and, for suggestions, all names."""

    def __init__(self, store: Store, namespace: str, stored: Definitions, operations: Operations) -> None:
        self._store = store
        self._namespace = namespace
        self._stored = stored
        self.operations = operations

    def action(self, name: str) -> Action | None:
        found = self._stored[Kind.ACTION].get(name)
        return json_values.decode(found.value, Action) if found and not found.deleted else None

    def flow(self, name: str) -> Flow | None:
        found = self._stored[Kind.FLOW].get(name) or self._store.definitions.latest(
            self._namespace, Kind.FLOW, [name]
        ).get(name)
        return json_values.decode(found.value, Flow) if found and not found.deleted else None

    def event(self, name: str) -> EventType | None:
        found = self._stored[Kind.EVENT].get(name)
        return json_values.decode(found.value, EventType) if found and not found.deleted else None

    def config(self, name: str) -> Config | None:
        found = self._stored[Kind.CONFIG].get(name)
        return json_values.decode(found.value, Config) if found and not found.deleted else None

    def schedule(self, name: str) -> Schedule | None:
        found = self._stored[Kind.SCHEDULE].get(name)
        return json_values.decode(found.value, Schedule) if found and not found.deleted else None

    def names(self) -> Iterable[str]:
        for kind in (Kind.ACTION, Kind.FLOW):
            yield from self._names(kind)

    def config_names(self) -> Iterable[str]:
        return self._names(Kind.CONFIG)

    def _names(self, kind: Kind) -> Iterable[str]:
        return (found.name for found in self._store.definitions.list(self._namespace, kind, MAX_SUGGESTED_NAMES))


class Submitter:
    """Checks documents, stores their definitions and starts their runs."""

    def __init__(
        self,
        store: Store,
        runs: OffloadingRunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        factory: RunFactory,
        scheduler: Scheduler,
        secrets: Secrets,
        hook_book: HookBook,
        stuck_watch: StuckWatch,
        clock: Clock,
        ids: IdSource,
        operations: Callable[[str], Operations],
        address_problem: Callable[[str], str | None],
    ) -> None:
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._factory = factory
        self._scheduler = scheduler
        self._secrets = secrets
        self._hook_book = hook_book
        self._stuck_watch = stuck_watch
        self._address_problem = address_problem
        self._clock = clock
        self._ids = ids
        self._operations = operations

    def submit(
        self,
        namespace: str,
        text: str,
        *,
        by: str = "",
        dry_run: bool = False,
        only: str = "",
        trace: str = "",
        expected: Expected = NOTHING_EXPECTED,
    ) -> Submission:
        """Store the definitions of `text` and start its flow_runs. A dry run changes nothing.

        `only` is the kind of statements that are accepted (`action`, `flow_run`, ...); empty for every kind. `trace`
        is the `traceparent` of the request. `expected` are versions that definitions must have before, whether the
        text defines them or not; 0: none. Raises Changed, FslMalformed, FslRefused, WrongStatement, RunExists,
        SecretsOff, TooLarge; then nothing was changed.
        """
        for _ in range(MAX_ATTEMPTS):
            try:
                return self._submit(namespace, text, by, trace, dry_run=dry_run, only=only, expected=expected)
            except Conflict:
                continue
        raise Conflict("the same definitions are being changed by other requests; try again")

    def _submit(
        self, namespace: str, text: str, by: str, trace: str, *, dry_run: bool, only: str, expected: Expected
    ) -> Submission:
        stored, checked = self._check(namespace, text, only, expected)
        results = versions(stored, checked.statements, self._clock.now(), self._ids, by)
        changed = [definition for definition, change in results if change is not Change.UNCHANGED]
        current = {kind: dict(stored[kind]) for kind in Kind}
        for definition in changed:
            current[definition.kind][definition.name] = definition
        runs = [
            self._plan(namespace, statement.value, current, by, trace)
            for statement in checked.statements
            if isinstance(statement.value, FlowRun)
        ]
        check_size(changed, [run.new for run in runs])
        new_hooks = sum(one.kind is Kind.HOOK and change is Change.CREATED for one, change in results)
        if new_hooks:
            self._hook_book.check_room(namespace, new_hooks)
        if not dry_run and (changed or runs):
            self._store_all(namespace, changed, runs)
        submitted = [
            *(Submitted(one.kind, one.name, one.version, one.uuid, change) for one, change in results),
            *(_created(run) for run in runs),
        ]
        return Submission(_in_order(checked.statements, submitted), checked.diagnostics)

    def _store_all(self, namespace: str, changed: Sequence[Definition], runs: Sequence[_PlannedRun]) -> None:
        """Store the definitions and start the runs, in one transaction."""
        for run in runs:
            self._advancer.prepare(run.decision)
            if run.head.blobs:
                self._runs.put_blobs(run.decision.run, run.head.blobs)
        for definition in changed:
            if definition.kind is Kind.SCHEDULE:
                self._scheduler.announce(namespace, definition)
        if any(_is_on_stuck(definition) for definition in changed):
            self._stuck_watch.watch(namespace)
        self._store.definitions.submit(namespace, changed, [run.new for run in runs])
        if any(definition.kind is Kind.HOOK for definition in changed):
            self._hook_book.forget(namespace)
        self._definition_cache.learn(namespace, changed)
        for run in runs:
            self._advancer.observer.began(run.decision.run)

    def inspect(self, namespace: str, text: str) -> Inspected:
        """Return what is known of a text, wrong ones too. Nothing is changed. Raises TooLarge."""
        document, syntax = language.parse(text)
        stored, checked = self._read(namespace, document)
        results = versions(stored, checked.statements, self._clock.now(), self._ids)
        found = {kind: {one.name: one for one in names.values() if not one.deleted} for kind, names in stored.items()}
        return Inspected(document, in_order((*syntax, *checked.diagnostics)), checked.statements, tuple(results), found)

    def _check(self, namespace: str, text: str, only: str, expected: Expected) -> tuple[Definitions, Checked]:
        """Return the stored definitions that the document defines or uses, and the checked document."""
        document, syntax = language.parse(text)
        _refuse_other_kinds(document, only)
        stored, checked = self._read(namespace, document, expected)
        diagnostics = in_order((*syntax, *checked.diagnostics))
        if any(found.severity == "error" for found in syntax):
            raise FslMalformed(diagnostics)
        if any(found.severity == "error" for found in diagnostics):
            raise FslRefused(diagnostics)
        for statement in checked.statements:
            declared = statement.value.steps if isinstance(statement.value, FlowRun) else statement.value
            if isinstance(declared, (Action, Flow)):
                self._secrets.check(declared)
        return stored, Checked(checked.statements, diagnostics)

    def _read(
        self, namespace: str, document: Document, expected: Expected = NOTHING_EXPECTED
    ) -> tuple[Definitions, Checked]:
        """Return the stored definitions that the document defines or uses, and what the checker finds in it.

        Raises Changed if those that are expected have other versions.
        """
        names = {kind: found | expected.get(kind, {}).keys() for kind, found in _names(document).items()}
        stored = {kind: self._store.definitions.latest(namespace, kind, names[kind], deleted=True) for kind in Kind}
        check_expected(stored, expected)
        catalog = _Catalog(self._store, namespace, stored, self._operations(namespace))
        with expressions.together():
            checked = language.check_document(
                document,
                catalog,
                expression_problem=expressions.problem_in,
                address_problem=self._address_problem,
                now=self._clock.now(),
            )
        return stored, checked

    def _plan(self, namespace: str, order: FlowRun, current: Definitions, by: str, trace: str) -> _PlannedRun:
        """Decide the start of the run of a flow_run statement. Raises RunExists, InputRefused."""
        if self._runs.load(namespace, order.name):
            raise RunExists(order.name)
        if order.steps is not None:
            flow, version = order.steps, 0
        else:
            stored = current[Kind.FLOW][order.flow or ""]
            flow, version = json_values.decode(stored.value, Flow), stored.version
        at_hand = {
            kind: {name: found for name, found in current[kind].items() if not found.deleted}
            for kind in (Kind.ACTION, Kind.CONFIG)
        }
        definition, ref = self._definition_cache.assemble(namespace, flow, version, at_hand)
        decision = self._factory.decide(
            RunPlan(
                namespace=namespace,
                name=order.name,
                definition=definition,
                ref=ref,
                input=self._factory.input(namespace, flow, order.input),
                by=by,
                labels=order.labels,
                trace=trace,
            )
        )
        return _PlannedRun(decision, offload_head(decision.run), order.steps)


def _is_on_stuck(definition: Definition) -> bool:
    hook = json_values.decode(definition.value, Hook) if definition.kind is Kind.HOOK else None
    return hook is not None and HookEvent.RUN_STUCK in hook.on


def _refuse_other_kinds(document: Document, only: str) -> None:
    """Raise WrongStatement if `only` names a kind and the text has a statement of another kind."""
    for statement in document.statements:
        if only and statement.kind.key != only:
            raise WrongStatement(only, statement.kind.key, statement.name.text)


def _names(document: Document) -> Mapping[Kind, set[str]]:
    """Return the names of each kind that a document defines or uses."""
    used = language.references(document)
    names: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    names[Kind.ACTION] |= used.actions
    names[Kind.FLOW] |= used.flows
    names[Kind.EVENT] |= used.events
    names[Kind.CONFIG] |= used.configs
    for statement in document.statements:
        if statement.kind.key in list(Kind):
            names[Kind(statement.kind.key)].add(statement.name.text)
    return names


def _created(planned: _PlannedRun) -> Submitted:
    run = planned.decision.run
    return Submitted("flow_run", run.name, run.version, run.id, Change.CREATED)


def _in_order(statements: Sequence[Statement], submitted: Sequence[Submitted]) -> tuple[Submitted, ...]:
    """Sort the results in the order of the statements."""
    by_name = {(found.kind, found.name): found for found in submitted}
    return tuple(by_name[statement.kind, statement.name] for statement in statements)
