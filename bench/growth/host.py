"""The real service with one thread, a clock that stands still, and actions that answer at once."""

from pathlib import Path

from chalicelib.adapters.sqlite.database import Database
from chalicelib.adapters.sqlite.message_queue import SqliteQueue
from chalicelib.adapters.sqlite.store import SqliteStore
from chalicelib.adapters.virtual import SequentialIds, VirtualClock
from chalicelib.config import Settings
from chalicelib.hosting import Adapters, QueueAndSource, assemble, consumers
from chalicelib.model.json_values import Json
from chalicelib.service import messages
from chalicelib.service.ports.actions import Call, Reply, Taken
from chalicelib.service.ports.queues import QueueName
from chalicelib.service.ports.store import Store
from chalicelib.service.runs.start import StartOrder

NS = "default"
_QUEUES = (QueueName.WAKES, QueueName.DELIVERIES)


class AnsweringCaller:
    """Answers each request with `state`; with nothing while `is_silent`."""

    def __init__(self) -> None:
        self.is_silent = False
        self.state = "OK"

    def post(self, _call: Call) -> Reply:
        if self.is_silent:
            return Taken()
        return Taken({"ackState": self.state, "data": {"n": 1}})


class StoreHost:
    """A host on any store, whose messages are handled one by one."""

    def __init__(self, store: Store, queue: QueueAndSource, clock: VirtualClock, *, delivery_log: bool) -> None:
        self.clock = clock
        self.caller = AnsweringCaller()
        self._queue = queue
        self._started = 0
        self.handled = 0
        """How many messages were handled."""
        adapters = Adapters(store=store, queue=queue, caller=self.caller, clock=clock, ids=SequentialIds())
        self.services = assemble(Settings(delivery_log=delivery_log), adapters)

    def submit(self, text: str) -> None:
        self.services.submitter.submit(NS, text)

    def start(self, flow: str, name: str, **given: Json) -> None:
        self.services.starter.start(NS, StartOrder(flow=flow, name=name, input=given))

    def start_some(self, flow: str, times: int) -> None:
        """Start so many runs with names of their own."""
        for _ in range(times):
            self._started += 1
            self.start(flow, f"{flow}-{self._started}")

    def handle(self, times: int) -> int:
        """Handle so many messages that are due, which there must be, and return how many."""
        for _ in range(times):
            if not self._handle_next():
                raise LookupError("no message is due")
        return times

    def handle_all(self) -> int:
        """Handle messages until none is due, and return how many."""
        handled = 0
        while self._handle_next():
            handled += 1
        return handled

    def _handle_next(self) -> bool:
        for queue in _QUEUES:
            for received in self._queue.receive(queue, 1, 0):
                self.handled += 1
                again, *_ = consumers.handle(self.services, queue, [messages.decode(received.body)])
                if again is None:
                    self._queue.delete(queue, [received.receipt])
                else:
                    self._queue.defer(queue, received.receipt, again)
                return True
        return False


class GrowthHost(StoreHost):
    """A host on one machine: SQLite in a file, with the log of deliveries."""

    def __init__(self, folder: Path) -> None:
        self.database, clock = Database.open(folder / "echoer.db"), VirtualClock()
        self.store = SqliteStore(self.database)
        super().__init__(self.store, SqliteQueue(self.database, clock), clock, delivery_log=True)

    def close(self) -> None:
        self.database.close()
