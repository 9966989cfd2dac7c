"""Submitting FSL: a whole document, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from chalicelib import language
from chalicelib.engine import expressions
from chalicelib.engine.effects import Decision
from chalicelib.engine.events import RunStarted
from chalicelib.engine.inputs import complete
from chalicelib.engine.machine import decide
from chalicelib.language import Checked, Diagnostic, Document, Statement
from chalicelib.model import json_values
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow, FlowRun
from chalicelib.model.run import encode
from chalicelib.model.times import Instant
from chalicelib.service.definitions.cache import DefinitionCache
from chalicelib.service.errors import Conflict, Invalid, Malformed, RunExists, TooLarge
from chalicelib.service.observability.traceparent import accepted
from chalicelib.service.ports.clock import Clock, IdSource
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.ports.runs import NewRun
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.advance import RunAdvancer
from chalicelib.service.runs.offloading import HEAD, OffloadingRunStore
from chalicelib.service.runs.start import new_uuid
from chalicelib.service.security.secrets import Secrets

TRIES: Final = 5
SUGGESTED: Final = 1_000
"""How many known names are looked through for a suggestion."""

AT_ONCE: Final = 100
"""How many definitions and flow_runs one document may make: as many as one transaction of DynamoDB's takes."""

DEFINITION: Final = 350_000
"""Bytes of one definition as it is kept, text and meaning: an item of DynamoDB's takes 400 KB."""

TOGETHER: Final = 3_500_000
"""Bytes of everything that one document makes: a transaction of DynamoDB's takes 4 MB."""


class Change(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of one statement. `uuid` is the resource's; empty in a dry run that would create it."""

    kind: str
    name: str
    version: int
    uuid: str
    change: Change


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a document: its statements in order, and warnings."""

    results: tuple[Submitted, ...]
    diagnostics: tuple[Diagnostic, ...]


class FslMalformed(Malformed):
    """The text is no FSL. Nothing was changed."""

    code = "fsl-malformed"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(_summary(diagnostics))
        self.diagnostics = diagnostics


class FslRefused(Invalid):
    """The text is FSL that says what cannot be. Nothing was changed."""

    code = "fsl-refused"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(_summary(diagnostics))
        self.diagnostics = diagnostics


class WrongStatement(Invalid):
    """The text has a statement of a kind that the call does not accept. Nothing was changed."""

    code = "wrong-statement"

    def __init__(self, accepted: str, kind: str, name: str) -> None:
        super().__init__(f"this path accepts only {accepted} statements, not {kind} {name!r}; use POST /fsl instead")


def _summary(diagnostics: Sequence[Diagnostic]) -> str:
    errors = [found for found in diagnostics if found.severity == "error"]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"line {first.line}, column {first.column}: {first.message}{more}"


class _Known:
    """The definitions that a document refers to, and, once somebody asks, all names for suggestions."""

    def __init__(self, store: Store, namespace: str, stored: dict[Kind, dict[str, Definition]]) -> None:
        self._store = store
        self._namespace = namespace
        self._stored = stored

    def action(self, name: str) -> Action | None:
        found = self._stored[Kind.ACTION].get(name)
        return json_values.decode(found.value, Action) if found and not found.deleted else None

    def flow(self, name: str) -> Flow | None:
        found = self._stored[Kind.FLOW].get(name) or self._store.definitions.latest(
            self._namespace, Kind.FLOW, [name]
        ).get(name)
        return json_values.decode(found.value, Flow) if found and not found.deleted else None

    def names(self) -> Iterable[str]:
        for kind in Kind:
            for found in self._store.definitions.list(self._namespace, kind, SUGGESTED):
                yield found.name


class Submitter:
    """Checks documents and makes them true."""

    def __init__(
        self,
        store: Store,
        runs: OffloadingRunStore,
        definition_cache: DefinitionCache,
        advancer: RunAdvancer,
        secrets: Secrets,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._secrets = secrets
        self._store = store
        self._runs = runs
        self._definition_cache = definition_cache
        self._advancer = advancer
        self._clock = clock
        self._ids = ids

    def submit(self, namespace: str, text: str, *, by: str = "", dry_run: bool = False, only: str = "") -> Submission:
        """Store the definitions of `text` and start its flow_runs. In a dry run nothing is changed.

        `only`: the kind of statements that is accepted (`action`, `flow`, `flow_run`); empty for every kind.
        Raises FslMalformed, FslRefused, WrongStatement, RunExists, SecretsOff, TooLarge; then nothing was changed.
        """
        for _ in range(TRIES):
            try:
                return self._submit(namespace, text, by, dry_run=dry_run, only=only)
            except Conflict:
                continue
        raise Conflict("others keep changing the same definitions; try again")

    def _submit(self, namespace: str, text: str, by: str, *, dry_run: bool, only: str) -> Submission:
        stored, checked = self._check(namespace, text, only)
        made = _versions(stored, checked.statements, self._clock.now(), self._ids)
        changed = [definition for definition, change in made if change is not Change.UNCHANGED]
        in_force = {kind: dict(stored[kind]) for kind in Kind}
        for definition in changed:
            in_force[definition.kind][definition.name] = definition
        runs = [
            self._run(namespace, statement.value, in_force, by)
            for statement in checked.statements
            if isinstance(statement.value, FlowRun)
        ]
        _weigh(changed, [new for new, _ in runs])
        if not dry_run and (changed or runs):
            for _, decision in runs:
                self._advancer.prepare(decision)
            self._store.definitions.submit(namespace, changed, [self._runs.thin_new(new) for new, _ in runs])
            self._definition_cache.learn(namespace, changed)
            for new, _ in runs:
                self._advancer.observer.began(new.run)
        told = [Submitted(made.kind, made.name, made.version, made.uuid, change) for made, change in made]
        told += [Submitted("flow_run", new.run.name, new.run.version, new.run.id, Change.CREATED) for new, _ in runs]
        return Submission(_in_order(checked.statements, told), checked.diagnostics)

    def _check(self, namespace: str, text: str, only: str) -> tuple[dict[Kind, dict[str, Definition]], Checked]:
        """The definitions that the document defines or uses as they are now, and the checked document."""
        document, syntax = language.parse(text)
        _refuse_other_kinds(document, only)
        names = _names(document)
        stored = {kind: self._store.definitions.latest(namespace, kind, names[kind], deleted=True) for kind in Kind}
        known = _Known(self._store, namespace, stored)
        checked = language.check_document(document, known, expression_problem=expressions.problem_in)
        diagnostics = tuple(sorted((*syntax, *checked.diagnostics), key=lambda found: (found.line, found.column)))
        if any(found.severity == "error" for found in syntax):
            raise FslMalformed(diagnostics)
        if any(found.severity == "error" for found in diagnostics):
            raise FslRefused(diagnostics)
        for statement in checked.statements:
            declared = statement.value.steps if isinstance(statement.value, FlowRun) else statement.value
            if declared is not None:
                self._secrets.check(declared)
        return stored, Checked(checked.statements, diagnostics)

    def _run(
        self, namespace: str, order: FlowRun, in_force: dict[Kind, dict[str, Definition]], by: str
    ) -> tuple[NewRun, Decision]:
        """The run that a flow_run statement orders, decided but not created. Raises RunExists, InputRefused."""
        if self._runs.load(namespace, order.name):
            raise RunExists(order.name)
        if order.steps is not None:
            flow, version = order.steps, 0
        else:
            stored = in_force[Kind.FLOW][order.flow or ""]
            flow, version = json_values.decode(stored.value, Flow), stored.version
        at_hand = {name: found for name, found in in_force[Kind.ACTION].items() if not found.deleted}
        actions = self._definition_cache.actions_for(namespace, flow, at_hand)
        definition, ref = self._definition_cache.assemble(flow, version, actions)
        cipher = self._secrets.cipher(namespace)
        decision = decide(
            definition,
            None,
            RunStarted(
                at=self._clock.now(),
                nonce=self._ids.nonce(),
                by=by,
                namespace=namespace,
                name=order.name,
                id=new_uuid(self._ids),
                ref=ref,
                input=complete(flow, order.input, cipher),
                labels=order.labels,
                trace=accepted(),
            ),
            cipher=cipher,
        )
        return NewRun(decision.run, order.steps), decision


def _refuse_other_kinds(document: Document, only: str) -> None:
    """Raise WrongStatement if `only` names a kind and the text has a statement of another kind."""
    for statement in document.statements:
        if only and statement.kind.key != only:
            raise WrongStatement(only, statement.kind.key, statement.name.text)


def _names(document: Document) -> dict[Kind, set[str]]:
    """The actions and flows that a document defines or uses."""
    used = language.references(document)
    names = {Kind.ACTION: set(used.actions), Kind.FLOW: set(used.flows)}
    for statement in document.statements:
        if statement.kind.key in names:
            names[Kind(statement.kind.key)].add(statement.name.text)
    return names


def _versions(
    stored: dict[Kind, dict[str, Definition]], statements: Sequence[Statement], now: Instant, ids: IdSource
) -> list[tuple[Definition, Change]]:
    """The definitions of the document: the versions that it adds, and those in force that it merely repeats."""
    made: list[tuple[Definition, Change]] = []
    for statement in statements:
        if isinstance(statement.value, FlowRun):
            continue
        kind = Kind(statement.kind)
        current = stored[kind].get(statement.name)
        value = json_values.encode(statement.value)
        known = current is not None and not current.deleted
        if current and known and (current.text, current.value) == (statement.text, value):
            made.append((current, Change.UNCHANGED))
            continue
        definition = Definition(
            kind=kind,
            name=statement.name,
            version=current.version + 1 if current else 1,
            uuid=current.uuid if current and known else new_uuid(ids),
            text=statement.text,
            value=value,
            created_at=now,
        )
        made.append((definition, Change.UPDATED if known else Change.CREATED))
    return made


def _weigh(definitions: Sequence[Definition], runs: Sequence[NewRun]) -> None:
    """All of it can be kept in one transaction. Raises TooLarge."""
    count = len(definitions) + len(runs)
    if count > AT_ONCE:
        raise TooLarge(f"the document makes {count} definitions and flow_runs; {AT_ONCE} at once are the limit")
    sizes = {f"{each.kind} {each.name!r:.80}": len(msgspec.json.encode(each)) for each in definitions}
    sizes |= {f"flow_run {new.run.name!r:.80}": len(json_values.encode(new.own)) for new in runs if new.own is not None}
    for what, size in sizes.items():
        if size > DEFINITION:
            raise TooLarge(f"{what} has {size} bytes as it is kept; {DEFINITION} are the limit")
    whole = sum(sizes.values()) + sum(min(len(encode(new.run)), HEAD) for new in runs)
    if whole > TOGETHER:
        raise TooLarge(f"the document makes {whole} bytes, as they are kept; {TOGETHER} at once are the limit")


def _in_order(statements: Sequence[Statement], told: Sequence[Submitted]) -> tuple[Submitted, ...]:
    """What is told of each statement, in the order of the text."""
    by_name = {(found.kind, found.name): found for found in told}
    return tuple(by_name[statement.kind, statement.name] for statement in statements)
