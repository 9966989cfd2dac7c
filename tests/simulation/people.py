"""Those who start runs and order them about, whenever they like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.hosting import Services
from chalicelib.model import json_values, status
from chalicelib.model.actions import Action
from chalicelib.model.flow import Flow
from chalicelib.model.status import Status
from chalicelib.model.times import Instant
from chalicelib.service.ports.definitions import Definition, Kind
from chalicelib.service.runs.answer import Answer
from chalicelib.service.runs.start import StartOrder
from tests.simulation.catalog import ACTIONS, SECRET
from tests.simulation.fates import ORDERS
from tests.simulation.flows import CHILD, EVENTS, MAIN, FlowMaker, undoer
from tests.simulation.labelers import Labelers
from tests.simulation.operators import Operators
from tests.simulation.repairs import Repairs
from tests.simulation.sagas import undoing_much
from tests.simulation.timetable import Timetable

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

NAMESPACES: Final = ("alpha", "beta")
NAMES: Final = ("r1", "r2")


class People:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        rng = stage.fates.rng
        self._namespaces = NAMESPACES if rng.random() < 0.3 else NAMESPACES[:1]
        self._started: list[tuple[str, str]] = []
        for namespace in self._namespaces:
            stage.store.definitions.submit(namespace, [stored(action, 1) for action in ACTIONS], [])
            drawn = FlowMaker(rng, calls=True).flow(MAIN), FlowMaker(rng, calls=False).flow(CHILD)
            flows = *(undoing_much(flow, stage.fates.seed) for flow in drawn), undoer()
            stage.store.definitions.submit(namespace, [stored(flow, 1) for flow in flows], [])
        self._timetable = Timetable(stage, self._namespaces[0])
        self._repairs = Repairs(stage, self._namespaces[0])
        for number in range(rng.choice((1, 2, 2, 3))):
            self._plan_start(number)
        for _ in range(rng.choice((0, 2, 4, 8))):
            latest = rng.choice((1_000, 100_000, 3_000_000))
            stage.loop.at(stage.loop.now + stage.fates.span("order-at", 5, latest), self._order)
        self._operators = Operators(stage, self._namespaces)
        Labelers(stage)

    def _plan_start(self, number: int) -> None:
        stage, rng = self._stage, self._stage.fates.rng
        namespace = rng.choice(self._namespaces)
        name = rng.choice(NAMES)
        at = stage.loop.now + (stage.fates.span("start-at", 1, 60_000) if number else 0)
        stage.loop.at(at, lambda: self.start(namespace, name, key=f"key-{name}" if number % 2 == 0 else None))

    def start(self, namespace: str, name: str, *, key: str | None = None) -> None:
        """Start a run; repeat the request until it is acknowledged or refused."""
        laws = self._stage.laws
        self._started.append((namespace, name))

        def work(services: Services) -> None:
            started = services.starter.start(namespace, StartOrder(flow=MAIN, name=name, key=key))
            if started.run.id not in laws.histories:
                laws.breaks("acknowledged", f"the start of {name!r} was acknowledged, and there is no such run")

        self._stage.ask(f"start({namespace}/{name})", namespace, work)

    def settle(self) -> None:
        """From now on all is calm: nothing more is begun than what has been."""
        self._timetable.close()

    def resume_all(self) -> bool:
        """Continue every paused run. Return False if there is none."""
        paused = [where for where, run in self._stage.laws.heads.items() if run.status is Status.PAUSED]
        for where in paused:
            self._command("continue", *where)
        return self._operators.release_all() or bool(paused)

    def _order(self) -> None:
        """Give a random command, if the seed asks for one."""
        stage, fates = self._stage, self._stage.fates
        order = fates.strikes("order", ORDERS, 0.9, fixed=True)
        known = [*stage.laws.heads, *self._started]
        if not order or not known:
            return
        stage.note(f"order: {order}")
        namespace, name = known[fates.below("whose", len(known))]
        match order:
            case "restart":
                stage.restart()
            case "start-again":
                self.start(namespace, name, key=f"key-{name}" if fates.below("key", 2) else None)
            case "redefine":
                self._redefine(namespace)
            case "late-answer":
                self._answer_late(namespace, name)
            case "inbox":
                stage.actions.visit(namespace)
            case "publish":
                self._publish(namespace)
            case _:
                self._command(order, namespace, name)

    def _command(self, order: str, namespace: str, name: str) -> None:
        laws = self._stage.laws

        def work(services: Services) -> None:
            operator = services.operator
            match order:
                case "pause":
                    operator.pause(namespace, name)
                case "continue":
                    operator.resume(namespace, name)
                case "stop":
                    operator.stop(namespace, name)
                case "retry":
                    operator.retry(namespace, name)
                case "retry-undos":
                    operator.retry_undos(namespace, name)
                case "delete":
                    operator.delete_run(namespace, name)
                case "vars":
                    operator.set_vars(namespace, name, {"flag": True, "n": 3, "token": SECRET})
                case _:
                    run = services.reader.run(namespace, name)
                    signal = services.signaler.signal(namespace, run, EVENTS[0], data={"v": 2})
                    laws.kept(namespace, signal)

        self._stage.ask(f"{order}({namespace}/{name})", namespace, work)

    def _publish(self, namespace: str) -> None:
        fates, laws = self._stage.fates, self._stage.laws
        name, key = EVENTS[fates.below("event", 2)], ("", "k")[fates.below("event-key", 2)]

        def work(services: Services) -> None:
            laws.kept(namespace, services.signaler.publish(namespace, name, key=key, data={"v": 3}).signal)

        self._stage.ask(f"publish({namespace} {name})", namespace, work)

    def _redefine(self, namespace: str) -> None:
        """Another version of the flow, submitted through one of the containers."""
        flow = FlowMaker(self._stage.fates.rng, calls=True).flow(MAIN)

        def work(services: Services) -> None:
            definitions = services.adapters.store.definitions
            newest = definitions.latest(namespace, Kind.FLOW, [MAIN])[MAIN]
            following = stored(flow, newest.version + 1)
            definitions.submit(namespace, [following], [])
            services.definition_cache.learn(namespace, [following])

        self._stage.ask(f"redefine({namespace})", namespace, work)

    def _answer_late(self, namespace: str, name: str) -> None:
        """An answer for an activation that has ended: it moves nothing."""
        stage = self._stage
        head = stage.laws.heads.get((namespace, name))
        ended = [entry for entry in stage.laws.histories[head.id].entries if entry.uuid] if head else []
        ended = [entry for entry in ended if head and entry.uuid in stage.laws.histories[head.id].closed]
        if not ended or head is None or head.status not in status.LIVE:
            return
        entry = ended[stage.fates.below("which", len(ended))]
        answer = Answer(run=name, step=entry.step, uuid=entry.uuid, state=entry.state or "OK", done=True)
        stage.actions.say(namespace, answer)


def stored(value: Action | Flow, version: int, at: Instant = 0) -> Definition:
    """The definition as a store keeps it."""
    kind = Kind.FLOW if isinstance(value, Flow) else Kind.ACTION
    return Definition(
        kind=kind,
        name=value.name,
        version=version,
        uuid=f"{kind}-{value.name}",
        text="",
        value=json_values.encode(value),
        created_at=at,
    )
