"""Execute a test: its runs on a virtual host, with everything that happens around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import msgspec

from chalicelib.engine.errors import Refused
from chalicelib.hosting.scripted import ScriptedHost
from chalicelib.hosting.virtual import MAX_EVENTS
from chalicelib.model import status, templates, times
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.errors import EchoerError
from chalicelib.model.flow import ActionStep, Flow, walk
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.recurrence.schedule import Schedule, slot_text
from chalicelib.model.run import Run
from chalicelib.model.statements import Config
from chalicelib.model.times import Instant
from chalicelib.service.errors import LimitReached, RunExists
from chalicelib.service.messages import Tick
from fsl.testing.case_run import CaseRun
from fsl.testing.cases import Case, Command, CommandName, OtherRun, Signal, TestFile
from fsl.testing.in_progress import InProgress
from fsl.testing.parts import span
from fsl.testing.program import Program
from fsl.testing.script import Script

START: Final[Instant] = 1_767_225_600_000
"""When a test starts by default: 2026-01-01T00:00:00Z."""

NAME: Final = "test"
"""The name of the tested run where it has none of its own."""


class NoRun(EchoerError):
    """The test has no run to look at; `field` says what should have started one."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


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


def flow_of(program: Program, file: TestFile, case: Case, run: OtherRun) -> str:
    """Return the flow of one of several runs. Raises LookupError."""
    return run.flow or start_of(program, file, case)[0]


def run_case(program: Program, file: TestFile, case: Case, *, max_events: int = MAX_EVENTS) -> CaseRun:
    """Execute the test to its end, or to the time at which it looks at its runs. Raises InputRefused, NoRun."""
    script = Script(file, case)
    host = ScriptedHost(script, start=times.instant(case.start or file.start) or START)
    in_progress = InProgress(case.wanted.most, host.is_current)
    if case.wanted.most:
        script.observers.append(in_progress.note)
    host.define(*definitions_of(program.definitions.values(), {**file.config, **case.config}))
    host.define(*program.events.values(), *program.hooks.values())
    host.set_secrets(_secrets(program, {**file.secrets, **case.secrets}))
    if case.schedule is not None:
        done = _scheduled(program.schedules[case.schedule], case, host, script, max_events)
    elif case.runs:
        done = _several(program, file, case, host, script, max_events)
    else:
        done = _single(program, file, case, host, script, max_events)
    return replace(done, most=in_progress.most)


def _single(
    program: Program, file: TestFile, case: Case, host: ScriptedHost, script: Script, max_events: int
) -> CaseRun:
    started_at = host.clock.now()
    flow, given, labels, name = start_of(program, file, case)
    _plan(host, case, name)
    host.start(flow, given, name=name, labels=labels)
    in_time = host.run_until(_until(case, started_at), max_events=max_events)
    cut_off = _not_ended(host.head(name), case) if in_time else _too_many(host, max_events)
    return CaseRun(host, name, started_at, started_at, script, cut_off)


def _several(
    program: Program, file: TestFile, case: Case, host: ScriptedHost, script: Script, max_events: int
) -> CaseRun:
    """Start each of the test's runs at its time. The first one that has started stands for the test."""
    started_at = host.clock.now()
    refused: dict[str, str] = {}
    _plan(host, case, case.runs[0].name)
    for one in case.runs:
        start = partial(_start, host, flow_of(program, file, case, one), one, refused)
        if span(one.at):
            host.at(started_at + span(one.at), start)
        else:
            start()
    in_time = host.run_until(_until(case, started_at), max_events=max_events)
    found: list[CaseRun] = []
    for one in case.runs:
        run = host.services.runs.load(host.namespace, one.name) if one.name not in refused else None
        if run is not None:
            found.append(
                CaseRun(host, one.name, run.created_at, run.created_at, script, _not_ended(run, case), is_part=True)
            )
    if not found:
        raise NoRun("runs", "none of the runs has started" + "".join(f"; {why}" for why in refused.values()))
    cut_off = "" if in_time else _too_many(host, max_events)
    return CaseRun(host, found[0].name, started_at, started_at, script, cut_off, runs=tuple(found), refused=refused)


def _start(host: ScriptedHost, flow: str, run: OtherRun, refused: dict[str, str]) -> None:
    try:
        host.start(flow, run.input, name=run.name, labels=run.labels)
    except (Refused, LimitReached, RunExists) as refusal:
        refused[run.name] = str(refusal)


def _plan(host: ScriptedHost, case: Case, name: str) -> None:
    """Plan commands and events; `name` is the run that they are for where they do not say it."""
    for command in case.orders:
        host.later(span(command.at), command.run or name, _commanded(host, command.run or name, command))
    for signal in case.events:
        host.later(span(signal.at), signal.run or name, _published(host, name, signal))


def _until(case: Case, started_at: Instant) -> Instant:
    return started_at + span(case.until if case.until is not None else case.limit)


def _scheduled(schedule: Schedule, case: Case, host: ScriptedHost, script: Script, max_events: int) -> CaseRun:
    """Let the schedule start runs until `until`, and return the last one."""
    started_at, until = host.clock.now(), span(case.until or "")
    _plan(host, case, "")
    host.define(schedule)
    host.services.scheduler.tick(Tick(namespace=host.namespace, schedule=schedule.name, sent_at=started_at, version=0))
    in_time = host.run_until(started_at + until, max_events=max_events)
    state = host.services.schedules.view(host.namespace, schedule.name).state
    slots = tuple((slot_text(schedule, one.slot), str(one.outcome)) for one in reversed(state.recent)) if state else ()
    if state is None or not state.running:
        why = f": {state.recent[0].reason}" if state and state.recent else ""
        raise NoRun("schedule", f"schedule {schedule.name!r} starts no run within {case.until}{why}")
    cut_off = "" if in_time else _too_many(host, max_events)
    run_at = host.head(state.running).created_at
    return CaseRun(host, state.running, run_at, started_at, script, cut_off, slots)


def _too_many(host: ScriptedHost, max_events: int) -> str:
    at = times.rfc3339(host.clock.now())
    return f"more than {max_events:,} events happened by {at}: the run does not come to rest"


def _not_ended(run: Run, case: Case) -> str:
    if case.until is None and run.status not in status.ENDED:
        return f"the run has not ended after {case.limit}: it is {run.status}"
    return ""


def _published(host: ScriptedHost, name: str, signal: Signal) -> Callable[[], object]:
    if signal.to_run or signal.run:
        return lambda: host.signal(signal.run or name, signal.name, data=signal.data)
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


def definitions_of(
    definitions: Iterable[Definition], config: Mapping[str, Json] = MappingProxyType({})
) -> Iterator[Action | Flow | Config]:
    """The flows, and each of their actions and configs once. `config` has other values for some of these."""
    actions: dict[str, Action] = {}
    configs: dict[str, Json] = {}
    for definition in definitions:
        yield msgspec.structs.replace(definition.flow, keep=None)  # tests look at runs that have ended
        actions |= definition.actions
        configs |= definition.config
    yield from actions.values()
    yield from (Config(name=name, value=config.get(name, value)) for name, value in configs.items())


def _secrets(program: Program, given: dict[str, str]) -> dict[str, str]:
    """The secrets that the program refers to. The default value of a secret is a text with its name."""
    names = {name for value in definitions_of(program.definitions.values()) for name in _secret_names(value)}
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
