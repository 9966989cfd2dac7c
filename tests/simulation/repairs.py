"""Those who mend runs: they change actions and flows, retry on another version, migrate, and send tokens elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib.hosting import Services
from chalicelib.model import json_values, status
from chalicelib.model.actions import Action, ArgType, Options, Parameter, Retry
from chalicelib.model.flow import Flow, actions_named, walk
from chalicelib.model.run import Run
from chalicelib.model.status import Status
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.runs.commands import LATEST
from tests.simulation.catalog import ACTIONS
from tests.simulation.fates import REPAIRS
from tests.simulation.flows import MAIN

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

MOST_REPAIRS: Final = 5
"""How many repairs a schedule with repairs tries at most. Every second schedule has none."""


class Repairs:
    """Plans and carries out what the seed decides."""

    def __init__(self, stage: Stage, namespace: str) -> None:
        self._stage = stage
        self._namespace = namespace
        fates = stage.fates
        if fates.below("repairs", 2):
            return
        for _ in range(1 + fates.below("how many repairs", MOST_REPAIRS)):
            latest = (1_000, 30_000, 300_000)[fates.below("repair-latest", 3)]
            stage.loop.at(stage.loop.now + fates.span("repair-at", 5, latest), self._repair)

    def _repair(self) -> None:
        stage, fates = self._stage, self._stage.fates
        repair = fates.strikes("repair", REPAIRS, 0.9, fixed=True)
        if not repair:
            return
        stage.note(f"repair: {repair}")
        name = self._whom(status.STOPPED if repair == "retry-mended" else status.LIVE)
        match repair:
            case "redefine-action":
                self._redefine_action()
            case "redefine-alike":
                self._redefine_alike()
            case "retry-mended" if name:
                self._retry(name)
            case "migrate" if name:
                self._migrate(name)
            case "goto" if name:
                self._go_to(name)
            case _:
                pass

    def _whom(self, statuses: frozenset[Status]) -> str:
        """Return the name of a run, if there is one of the flow that has one of the statuses; else of any."""
        mine = [run for (namespace, _), run in self._stage.laws.heads.items() if namespace == self._namespace]
        fitting = [run for run in mine if run.status in statuses and run.definition.flow == MAIN] or mine
        return fitting[self._stage.fates.below("whom", len(fitting))].name if fitting else ""

    # ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _redefine_action(self) -> None:
        """The service of an action moves; its new version has one more arg, and its other states in another order."""
        fates, laws, namespace = self._stage.fates, self._stage.laws, self._namespace
        newest = self._stage.store.definitions.latest(namespace, Kind.FLOW, [MAIN])[MAIN]
        sent = sorted(actions_named(json_values.decode(newest.value, Flow)))
        names = [action.name for action in ACTIONS if action.name in sent] or [action.name for action in ACTIONS]
        name = names[fates.below("action", len(names))]
        attempts = fates.below("attempts", 3)

        def work(services: Services) -> None:
            definitions = services.adapters.store.definitions
            newest = definitions.latest(namespace, Kind.ACTION, [name])[name]
            moved = _moved(json_values.decode(newest.value, Action), newest.version + 1, attempts)
            following = _next(newest, json_values.encode(moved))
            definitions.submit(namespace, [following], [])
            services.definition_cache.learn(namespace, [following])
            laws.moves.redefined(namespace, name, following.version, self._stage.loop.now)

        self._stage.ask(f"redefine-action({namespace}/{name})", namespace, work)

    def _redefine_alike(self) -> None:
        """A version of the flow that differs a little, so that runs can move to it."""
        fates, namespace = self._stage.fates, self._namespace
        which, how = fates.number("which step"), fates.below("how alike", 4)

        def work(services: Services) -> None:
            definitions = services.adapters.store.definitions
            newest = definitions.latest(namespace, Kind.FLOW, [MAIN])[MAIN]
            flow = _alike(json_values.decode(newest.value, Flow), newest.version, which, how)
            following = _next(newest, json_values.encode(flow))
            definitions.submit(namespace, [following], [])
            services.definition_cache.learn(namespace, [following])

        self._stage.ask(f"redefine-alike({namespace})", namespace, work)

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _retry(self, name: str) -> None:
        which, at_step = self._stage.fates.number("retry at"), self._stage.fates.below("retry with a step", 2)

        def work(services: Services) -> None:
            run = services.reader.run(self._namespace, name)
            step = self._step_of(services, run, which) if at_step else None
            services.operator.retry(
                self._namespace, name, version=LATEST, step=step, variables={"n": 5}, reason="it is mended"
            )

        self._stage.ask(f"retry-mended({self._namespace}/{name})", self._namespace, work)

    def _migrate(self, name: str) -> None:
        if self._stage.fates.below("migrate to a new one", 3):
            self._redefine_alike()

        def work(services: Services) -> None:
            run = services.reader.run(self._namespace, name)
            newest = services.adapters.store.definitions.latest(self._namespace, Kind.FLOW, [MAIN])[MAIN]
            before, after = services.definition_cache.of(run).flow, json_values.decode(newest.value, Flow)
            steps = zip(walk(before.steps), walk(after.steps), strict=False)
            renamed = {old.name: new.name for old, new in steps if old.name != new.name and type(old) is type(new)}
            services.operator.migrate(self._namespace, name, LATEST, steps=renamed, reason="it is mended")

        then = self._stage.loop.now + self._stage.fates.span("migrate-at", 1, 2_000)
        self._stage.loop.at(then, lambda: self._stage.ask(f"migrate({self._namespace}/{name})", self._namespace, work))

    def _go_to(self, name: str) -> None:
        which, whom = self._stage.fates.number("go to"), self._stage.fates.number("who goes")

        def work(services: Services) -> None:
            run = services.reader.run(self._namespace, name)
            tokens = [None, *(token.id for token in run.tokens)]
            step = self._step_of(services, run, which)
            services.operator.go_to(self._namespace, name, step, token=tokens[whom % len(tokens)], reason="it hangs")

        self._stage.ask(f"goto({self._namespace}/{name})", self._namespace, work)

    def _step_of(self, services: Services, run: Run, which: int) -> str:
        names = list(services.definition_cache.of(run).steps)
        return names[which % len(names)]


def _next(newest: Definition, value: bytes) -> Definition:
    return replace(newest, version=newest.version + 1, value=value)


def _moved(action: Action, version: int, attempts: int) -> Action:
    """Return the action at another address, with the version in it."""
    host = action.addresses[0].partition(".test")[0] if action.addresses else "http://nowhere"
    added = Parameter(name=f"added{version}", type=ArgType.ANY, required=False, default=version)
    retry = Retry(max=2 + attempts, delay=300) if action.options.retry else None
    options: Options = replace(action.options, retry=retry)
    return replace(
        action,
        addresses=(f"{host}.test/v{version}",) if action.addresses else (),
        parameters=(*action.parameters, added),
        returns=(action.returns[0], *action.returns[:0:-1]),  # the first one leads on
        options=options,
    )


def _alike(flow: Flow, version: int, which: int, how: int) -> Flow:
    """Return the flow with another variable; perhaps with a step renamed, or with more time for the whole run."""
    flow = replace(flow, vars={**flow.vars, f"extra{version}": version})
    if how % 2:
        names = [step.name for step in walk(flow.steps)]
        old = names[which % len(names)]
        new = f"{'S' if old[0] == 'T' else 'T'}{old[1:]}"
        text = json_values.encode(flow).replace(f'"{old}"'.encode(), f'"{new}"'.encode())
        flow = json_values.decode(text, Flow)
    return replace(flow, timeout=21_600_000) if how > 1 and flow.timeout is not None else flow
