"""The host of a schedule: the real service in several containers, on ports that may fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Final

from msgspec.structs import replace

from chalicelib import hosting
from chalicelib.adapters.encryption import LibsodiumEncryption
from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.virtual import SequentialIds
from chalicelib.config import Backend, Settings
from chalicelib.engine.errors import Refused
from chalicelib.entrypoints import workers
from chalicelib.hosting import Adapters, Services, assemble
from chalicelib.model import status
from chalicelib.model.times import Instant
from chalicelib.service.errors import Busy, Conflict, KeyTaken, LimitReached, NotFound, RunExists
from chalicelib.service.messages import Deliver, Message, Tick
from chalicelib.service.ports.definitions import Kind
from chalicelib.service.ports.queues import QueueName
from tests.fakes import KEY
from tests.simulation.actions import Actions
from tests.simulation.eyes import Eyes
from tests.simulation.fates import SWEEP_FAULTS, Fates
from tests.simulation.laws import Laws
from tests.simulation.loop import Fiber, Loop
from tests.simulation.messages import Messages, QueuedMessage
from tests.simulation.outages import Outages
from tests.simulation.ports import Cut, CutStore, SimulatedIds, SkewedClock

WORKER_LIFE: Final = 60_000
API_LIFE: Final = 30_000
"""The timeouts of the functions in milliseconds (.chalice/config.json)."""

MINUTE: Final = 60_000
_END_OF_TIME: Final[Instant] = 1 << 53
CONTAINERS: Final = 3
SETTINGS: Final = Settings()
ENCRYPTION: Final = LibsodiumEncryption(lambda: KEY)
_OTHERS: Final = {QueueName.WAKES: workers.wake, QueueName.DEAD: workers.dead_letter}


class Inline(Enum):
    """Whether the worker that commits an answer delivers the next action itself, and for how long it may."""

    OFF = auto()
    MACHINE = auto()
    """As on one machine."""
    LAMBDA = auto()
    """As in Lambda."""


class Stage:
    """One schedule's host. `tell`: record what happens.

    `every_call`: calls of clock and ids may fail too, and deliveries are recorded. `inline`: whether workers deliver
    what follows themselves; None: the seed decides.
    """

    def __init__(
        self, fates: Fates, *, tell: bool = False, every_call: bool = False, inline: Inline | None = None
    ) -> None:
        self.fates = fates
        self._every_call = every_call
        self._is_logged = every_call or not fates.below("delivery-log", 3)
        self.inline = inline or tuple(Inline)[fates.below("inline", len(Inline))]
        self.loop = Loop(self._failed)
        self.store = MemoryStore()
        self.messages = Messages(
            self.fates,
            self.loop,
            self._consume,
            lambda message: self.laws.message_gone(message),
            self._is_committed,
        )
        self.actions = Actions(self)
        self.outages = Outages(self)
        self.faultless: Services = self._faultless()
        """Services on ports that do not fail, for the laws and for the checks at the end."""
        self.laws = Laws(self.messages, self.faultless.definition_cache.of, self.store, self.loop)
        self._eyes = Eyes(self).calls()
        self.story: list[str] | None = [] if tell else None
        self._skews = [self.fates.rng.choice((0, 0, 0, -2_000, 2_000, 700)) for _ in range(CONTAINERS)]
        self._containers: list[Services] = []
        self._handling: list[int] = []
        self._sweeps: set[Instant] = set()
        self._stale = False
        self.restart()

    # ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def restart(self) -> None:
        """Kill every handler and replace all containers: nothing is left in their memory."""
        for fiber in tuple(self.loop.fibers):
            self.loop.kill(fiber)
        self._containers = [self._container(skew) for skew in self._skews]
        if any(self._skews):
            self.fates.happened("clock-skew")

    def _faultless(self) -> Services:
        queue: Any = self.messages
        adapters = Adapters(
            store=self.store,
            queue=queue,
            caller=self.actions,
            clock=SkewedClock(self, 0),
            ids=SequentialIds(),
            encryption=ENCRYPTION,
        )
        return assemble(replace(SETTINGS, definition_max_age=0), adapters)

    def _container(self, skew: int) -> Services:
        adapters = Adapters(
            store=CutStore(self, self.store),
            queue=Cut(self, "queue", self.messages),
            caller=Cut(self, "caller", self.actions),
            clock=self._timeless("clock", SkewedClock(self, skew)),
            ids=self._timeless("ids", SimulatedIds(self.fates.rng)),
            encryption=self._timeless("encryption", ENCRYPTION),
        )
        settings = replace(SETTINGS, delivery_log=self._is_logged, inline_delivery=self.inline is not Inline.OFF)
        is_on_aws = self.inline is Inline.LAMBDA
        return assemble(replace(settings, backend=Backend.AWS) if is_on_aws else settings, adapters)

    def services(self, number: int) -> Services:
        """Return the services of that container."""
        return self._containers[number]

    def _timeless(self, name: str, port: Any) -> Any:
        return Cut(self, name, port) if self._every_call else port

    def begin(
        self,
        name: str,
        namespace: str,
        work: Callable[[Services], None],
        *,
        life: int = WORKER_LIFE,
        ended: Callable[[bool], None] = lambda well: None,
    ) -> None:
        """Start a handler in one of the containers. An exception that it raises breaks a law."""
        number = self.fates.below("container", CONTAINERS)
        services, dies_at = self._containers[number], self.loop.now + life

        def over(well: bool) -> None:
            if not well and self.loop.now >= dies_at:
                self.fates.happened("handler-timed-out")
            ended(well)

        self.loop.spawn(
            name,
            lambda: work(services),
            container=f"c{number}",
            namespace=namespace,
            life=life,
            ended=over,
        )

    def ask(
        self,
        name: str,
        namespace: str,
        work: Callable[[Services], None],
        *,
        tries: int = 30,
        refused: Callable[[Exception], None] = lambda failure: None,
    ) -> None:
        """Send a request as a client does: repeat it while there is no answer, or the answer is Busy."""

        def call(services: Services) -> None:
            try:
                work(services)
            except Busy:
                again()
            except (Refused, NotFound, RunExists, KeyTaken, Conflict, LimitReached) as failure:
                refused(failure)

        def again() -> None:
            if tries:
                pause = self.fates.span("client", 50, 20_000)
                then = self.loop.now + pause
                self.loop.at(then, lambda: self.ask(name, namespace, work, tries=tries - 1, refused=refused))

        self.begin(name, namespace, call, life=API_LIFE, ended=lambda well: None if well else again())

    # ── ports ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, name: str, inner: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Carry the call out, and show it to the laws."""
        try:
            result = inner(*args, **kwargs)
        except (Conflict, RunExists):
            self.fates.happened("conflict")
            raise
        if name in ("runs.due", "schedules.due") and self._stale:
            return result[1:]
        seen = self._eyes.get(name)
        if seen is not None:
            seen(*args)
        return result

    def note(self, what: str, fault: str = "") -> None:
        """Add a line to the story, if it is recorded."""
        if self.story is not None:
            fiber = self.loop.current
            who = f"{fiber.container} {fiber.name}" if fiber else "-"
            seconds = (self.loop.now - 1_800_000_000_000) / 1000
            self.story.append(f"{seconds:12.3f}s  {who:<40} {what:<24} {fault and '*** ' + fault}".rstrip())

    def _failed(self, failure: BaseException, fiber: Fiber) -> None:
        if self.laws.explains(failure):
            return
        self.laws.breaks("surprise", f"{fiber.name} raised {failure!r}")

    # ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _consume(self, queue: QueueName, batch: Sequence[QueuedMessage]) -> None:
        """Hand the batch to a handler, and delete the messages that it does not give back, as Lambda does."""
        received = [(queued, queued.receipt, queued.body) for queued in batch]
        message, numbers = batch[0].message, [queued.id for queued in batch]
        if not all(self._is_committed(queued.message) for queued in batch):
            self.fates.happened("message-before-commit")
        if any(self._asks_for_held(queued.message) for queued in batch):
            self.fates.happened("held-received")
        if any(number in self._handling for number in numbers):
            self.fates.happened("second-consumer")
        self._handling += numbers
        self.messages.acquire(batch)

        def work(services: Services) -> None:
            hosting.use(services)
            event = {"Records": [_record(queued, receipt, body) for queued, receipt, body in received]}
            answer = workers.deliver(event, "", WORKER_LIFE) if queue is QueueName.DELIVERIES else _OTHERS[queue](event)
            again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            if self.fates.strikes("delete", ("delete-lost",), 0.03):
                return
            stale = not self.fates.below("stale", 2)
            for queued, receipt, _ in received:
                if str(queued.id) not in again:
                    self.messages.delete(receipt, stale=stale)

        def ended(well: bool) -> None:
            for number in numbers:
                self._handling.remove(number)
            self.messages.release(batch)

        kinds = "+".join(f"{type(queued.message).__name__}#{queued.id}" for queued in batch)
        self.begin(f"{queue}({message.namespace}/{message.subject} {kinds})", message.namespace, work, ended=ended)

    def _is_committed(self, message: Message) -> bool:
        if isinstance(message, Tick):
            found = self.store.definitions.latest(message.namespace, Kind.SCHEDULE, [message.schedule])
            return max((one.version for one in found.values()), default=0) >= message.version
        return message.is_written(self.laws.heads.get((message.namespace, message.run)))

    def _asks_for_held(self, message: Message) -> bool:
        """Whether the worker of a chain had the message before."""
        return (
            isinstance(message, Deliver)
            and message.current(self.laws.heads.get((message.namespace, message.run))) is not message
        )

    # ── the schedule of sweeps ───────────────────────────────────────────────────────────────────────────────────────

    def plan_sweep(self, earliest: Instant = 0) -> None:
        """Plan the next sweep. They run every minute; those that would find nothing are left out."""
        timers = [run.timer_at for run in self.laws.heads.values() if run.timer_at and run.status in status.MOVING]
        timers += [schedule.at for schedule in self.store.schedules.due(_END_OF_TIME, 1)]
        if not timers:
            return
        when = -(-max(earliest, self.loop.now + 1, min(timers) - MINUTE) // MINUTE) * MINUTE
        if when not in self._sweeps:
            self._sweeps.add(when)
            self.loop.at(when, lambda: self._sweep(when))

    def _sweep(self, when: Instant) -> None:
        self._sweeps.discard(when)
        fault = self.fates.strikes("sweep", SWEEP_FAULTS, 0.1)
        self._stale = fault == "stale-index"
        for _ in range({"sweep-missing": 0, "two-sweepers": 2}.get(fault, 1)):
            self.begin("sweep", "", self._sweeping)
        self.plan_sweep(when + 1)

    def _sweeping(self, services: Services) -> None:
        hosting.use(services)
        try:
            workers.sweep()
        except Busy:
            self.note("the sweep gives up")


def _record(queued: QueuedMessage, receipt: str, body: str) -> dict[str, Any]:
    count = {"ApproximateReceiveCount": str(queued.count)}
    return {"messageId": str(queued.id), "receiptHandle": receipt, "body": body, "attributes": count}
