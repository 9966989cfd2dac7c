"""One test, executed: its run on a virtual host, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from chalicelib.engine.invocation import UNDO
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.hosting.virtual import MAX_EVENTS
from chalicelib.model import status, templates, times
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ActionStep, Flow, walk
from chalicelib.model.history import Entry
from chalicelib.model.ids import ROOT
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.recurrence.schedule import Schedule, slot_text
from chalicelib.model.run import Run
from chalicelib.model.statements import Config
from chalicelib.model.times import Instant, Milliseconds
from chalicelib.service.messages import Tick
from fsl.testing.cases import Case, Command, CommandName, Signal, TestFile, span
from fsl.testing.program import Program
from fsl.testing.script import Script

START: Final[Instant] = 1_767_225_600_000
"""When a test starts by default: 2026-01-01T00:00:00Z."""

NAME: Final = "test"
"""The name of the tested run where it has none of its own."""

REPORT: Final = "StepReported"


class NoRun(EchoerError):
    """The tested schedule starts no run."""


@dataclass(frozen=True)
class CaseRun:
    """What became of a test's run. Its secrets are readable here."""

    host: ScriptedHost
    name: str
    started_at: Instant
    script: Script
    cut_off: str
    """Why the run was not executed to its end; empty if it was."""
    slots: tuple[tuple[str, str], ...] = ()
    """The time and the outcome of each of the last slots of the tested schedule, oldest first."""

    @cached_property
    def head(self) -> Run:
        run, decrypt = self.host.head(self.name), self.host.decrypt
        return replace(run, input=decrypt(run.input), vars=decrypt(run.vars), output=decrypt(run.output))

    @cached_property
    def history(self) -> tuple[Entry, ...]:
        decrypt = self.host.decrypt
        return tuple(
            replace(entry, data=decrypt(entry.data), vars=decrypt(entry.vars)) for entry in self.host.history(self.name)
        )

    @cached_property
    def path(self) -> list[tuple[str, str]]:
        """(step, state) of each step that returned, in that order."""
        return [(entry.step, entry.state) for entry in self.history if has_left(entry)]

    @cached_property
    def undone(self) -> list[str]:
        """The steps that were undone, in that order."""
        return [entry.step for entry in self.history if entry.token == UNDO and entry.state and entry.event != REPORT]

    @property
    def waits_at(self) -> list[str]:
        """The steps at which the run waits; of a run that has stopped, those at which `retry` would resume it."""
        return [token.step for token in self.head.tokens if token.activation or self.head.status in status.STOPPED]

    @property
    def duration(self) -> Milliseconds:
        """How long the run took, or has taken so far."""
        return (self.head.ended_at or self.host.clock.now()) - self.started_at


def has_left(entry: Entry) -> bool:
    """Whether the entry says that a step returned and led somewhere."""
    return bool(entry.target) and bool(entry.step) and not entry.event.startswith("Run")


def branch_of(entry: Entry) -> str:
    """The branch or item that the entry is about; empty for the run's first token."""
    return "" if entry.token == ROOT else entry.token.partition(".")[2] or entry.token


def start_of(program: Program, file: TestFile, case: Case) -> tuple[str, Json, dict[str, object], str]:
    """Return the flow that the test runs, its input and labels, and the run's name. Raises LookupError."""
    run = case.run or (None if case.flow else file.run)
    flow = None if run else case.flow or file.flow
    name = flow or run or program.only()
    if name is None:
        raise LookupError("it is not clear which flow to run: name one with `flow` or `run`")
    flow_run = program.flow_runs.get(name) if flow not in program.definitions else None
    if flow_run is None:
        return name, case.input, case.labels, NAME
    given = {**flow_run.input, **case.input} if isinstance(case.input, dict) else case.input
    return flow_run.flow or flow_run.name, given, {**flow_run.labels, **case.labels}, flow_run.name


def run_case(program: Program, file: TestFile, case: Case, *, max_events: int = MAX_EVENTS) -> CaseRun:
    """Execute the test's run to its end, or to the time at which the test looks at it. Raises InputRefused, NoRun."""
    script = Script(file, case)
    host = ScriptedHost(script, start=times.instant(case.start or file.start) or START)
    host.define(*_values(program.definitions.values(), {**file.config, **case.config}))
    host.define(*program.events.values())
    host.set_secrets(_secrets(program, {**file.secrets, **case.secrets}))
    if case.schedule is not None:
        return _scheduled(program.schedules[case.schedule], case, host, script, max_events)
    started_at = host.clock.now()
    flow, given, labels, name = start_of(program, file, case)
    for command in case.orders:
        host.later(span(command.at), name, _commanded(host, name, command))
    for signal in case.events:
        host.later(span(signal.at), name, _published(host, name, signal))
    host.start(flow, given, name=name, labels=labels)
    until = started_at + span(case.until if case.until is not None else case.limit)
    if host.run_until(until, max_events=max_events):
        cut_off = _not_ended(host.head(name), case)
    else:
        cut_off = _too_many(host, max_events)
    return CaseRun(host, name, started_at, script, cut_off)


def _scheduled(schedule: Schedule, case: Case, host: ScriptedHost, script: Script, max_events: int) -> CaseRun:
    """Let the schedule start runs until `until`, and return the last one."""
    started_at, until = host.clock.now(), span(case.until or "")
    for signal in case.events:
        host.later(span(signal.at), "", _published(host, "", signal))
    host.define(schedule)
    host.services.scheduler.tick(Tick(namespace=host.namespace, schedule=schedule.name, sent_at=started_at, version=0))
    in_time = host.run_until(started_at + until, max_events=max_events)
    state = host.services.schedules.view(host.namespace, schedule.name).state
    slots = tuple((slot_text(schedule, one.slot), str(one.outcome)) for one in reversed(state.recent)) if state else ()
    if state is None or not state.running:
        why = f": {state.recent[0].reason}" if state and state.recent else ""
        raise NoRun(f"schedule {schedule.name!r} starts no run within {case.until}{why}")
    cut_off = "" if in_time else _too_many(host, max_events)
    return CaseRun(host, state.running, host.head(state.running).created_at, script, cut_off, slots)


def _too_many(host: ScriptedHost, max_events: int) -> str:
    at = times.rfc3339(host.clock.now())
    return f"more than {max_events:,} events happened by {at}: the run does not come to rest"


def _not_ended(run: Run, case: Case) -> str:
    if case.until is None and run.status not in status.ENDED:
        return f"the run has not ended after {case.limit}: it is {run.status}"
    return ""


def _published(host: ScriptedHost, name: str, signal: Signal) -> Callable[[], object]:
    if signal.to_run:
        return lambda: host.signal(name, signal.name, data=signal.data)
    publish, key = host.services.signaler.publish, str(signal.key)
    return lambda: publish(host.namespace, signal.name, key=key, data=signal.data, ttl=span(signal.ttl))


def _commanded(host: ScriptedHost, name: str, command: Command) -> Callable[[], object]:
    operator, of = host.services.operator, (host.namespace, name)
    match command.order:
        case CommandName.PAUSE:
            return lambda: operator.pause(*of, by="operator")
        case CommandName.CONTINUE:
            return lambda: operator.resume(*of, by="operator")
        case CommandName.STOP:
            return lambda: operator.stop(*of, reason=command.reason, by="operator")
        case CommandName.RETRY if command.undo:
            return lambda: operator.retry_undos(*of, by="operator")
        case CommandName.RETRY:
            return lambda: operator.retry(*of, step=command.step, by="operator")
        case CommandName.VARS:
            return lambda: operator.set_vars(*of, command.vars, remove=command.remove, by="operator")


def _values(
    definitions: Iterable[Definition], config: Mapping[str, Json] = MappingProxyType({})
) -> Iterator[Action | Flow | Config]:
    """The flows, and each of their actions and configs once. `config` has other values for some of these."""
    actions: dict[str, Action] = {}
    configs: dict[str, Json] = {}
    for definition in definitions:
        yield replace(definition.flow, keep=None)  # tests look at runs that have ended
        actions |= definition.actions
        configs |= definition.config
    yield from actions.values()
    yield from (Config(name=name, value=config.get(name, value)) for name, value in configs.items())


def _secrets(program: Program, given: dict[str, str]) -> dict[str, str]:
    """The secrets that the program refers to. The default value of a secret is a text with its name."""
    names = {name for value in _values(program.definitions.values()) for name in _secret_names(value)}
    return {**{name: f"secret {name}" for name in sorted(names)}, **given}


def _secret_names(value: Action | Flow | Config) -> Iterator[str]:
    """The names of all secrets to which a definition refers, in its args or in its headers."""
    yield from _references(msgspec.to_builtins(value))
    if isinstance(value, Action):
        yield from value.options.secret_headers.values()
    if not isinstance(value, Flow):
        return
    for step in walk(value.steps):
        if isinstance(step, ActionStep):
            yield from step.options.secret_headers.values()


def _references(template: Json) -> Iterator[str]:
    name = templates.reference_of(template)
    if name is not None:
        yield name
    for child in children_in(template):
        yield from _references(child)
