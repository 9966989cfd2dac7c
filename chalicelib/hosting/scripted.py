"""A virtual host with scripted surroundings: actions, people and, where wanted, called flows.

The service is the real one. A `Responder` replies to what leaves it: deliveries arrive at the caller of actions, tasks
in the store of tasks, called flows as messages. Answers come back as signed callbacks, at the moment that the reply
names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.virtual import START, VirtualClock
from chalicelib.config import Settings
from chalicelib.engine.effects import Outcome
from chalicelib.engine.errors import Refused
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.request_args import direct_args
from chalicelib.engine.values.secret_values import decrypt
from chalicelib.hosting import direct_replies
from chalicelib.hosting.flow_replies import FlowReplies
from chalicelib.hosting.responder import Answer, Failure, Kind, Reply, Request, Responder
from chalicelib.hosting.scripted_answers import ScriptedAnswers
from chalicelib.hosting.seen import Refusal, ReportingSignals, ReportingTasks, Seen
from chalicelib.hosting.virtual import IN_MEMORY, VirtualHost
from chalicelib.model import status
from chalicelib.model.actions import RESERVED_ARGS, Action, shown_args
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import StartWait
from chalicelib.service.errors import NotFound
from chalicelib.service.events.event_types import EventRefused
from chalicelib.service.messages import ExecuteStep, Message, Notify, StartChild
from chalicelib.service.ports import actions as ports
from chalicelib.service.ports.events import Signal
from chalicelib.service.ports.queues import MAX_DELAY_MS
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.tasks import Task
from chalicelib.service.runs import answer as service
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.start import StartOrder

_ALL: int = 1 << 31


class _Caller:
    """Implements `ports.actions.Caller`: hands each call to the host."""

    def __init__(self, host: ScriptedHost) -> None:
        self.post = host.post


class ScriptedHost(VirtualHost):
    """Runs of one namespace, and the script of everything around them."""

    def __init__(self, responder: Responder, *, settings: Settings = IN_MEMORY, start: Instant = START) -> None:
        store = MemoryStore()
        store.tasks = ReportingTasks(self._task_opened)
        store.signals = ReportingSignals(self._published)
        super().__init__(_Caller(self), settings=settings, clock=VirtualClock(start), store=store)
        self.requests: list[Request] = []
        """Everything that was asked of the outside, in order."""
        self._answers = ScriptedAnswers(self)
        self.started: list[Seen] = []
        """The runs that `start` steps started: `name`."""
        self.notified: list[Seen] = []
        """Notifications of hooks: `hook`, `event`, and the data of the CloudEvent."""
        self.canceled: list[Seen] = []
        """Notices to `cancel` addresses: `action`, `step`, `reason`."""
        self._responder = responder
        self._jobs: dict[str, ports.Reply] = {}
        """What a job has ended with when it is looked at, by the uuid of its activation."""
        self._emitted: dict[str, Seen] = {}
        self._executing = ""
        """The run of which an `emit` or `start` step is being executed."""
        self._notifying: Notify | None = None
        """The notification that is being delivered."""
        self._flow_replies = FlowReplies(self, self._ask_for_flow)

    # ── what a caller does ───────────────────────────────────────────────────────────────────────────────────────────

    def set_secrets(self, secrets: Mapping[str, str]) -> None:
        """Set the namespace's secrets. Raises `service.errors.Invalid`."""
        for name, value in secrets.items():
            self.services.secrets.put(self.namespace, name, value, by="test")

    def start(self, flow: str, given: Json, *, name: str = "run", labels: Mapping[str, Json] | None = None) -> Run:
        """Start a run. Raises NotFound, InputRefused, RunExists."""
        order = StartOrder(flow=flow, name=name, input=given, labels=dict(labels or {}))
        return self.services.starter.start(self.namespace, order, by="test").run

    def later(self, milliseconds: int, run: str, call: Callable[[], object]) -> None:
        """Plan something that the run may refuse, so many milliseconds from now."""
        self.at(self.clock.now() + milliseconds, lambda: self._try(run, call))

    def answer(self, answer: service.Answer, *, by: str) -> Outcome:
        """Answer now for an activation, signed. Raises what `Answerer.answer` raises."""
        return self._answers.send(answer, by)

    def signal(self, run: str, name: str, *, data: Json = None) -> None:
        """Publish an event for that run alone. Raises NotFound, CommandRefused."""
        services = self.services
        services.signaler.signal(self.namespace, services.reader.run(self.namespace, run), name, data=data)

    def _try(self, run: str, call: Callable[[], object]) -> None:
        try:
            call()
        except (Refused, EventRefused, NotFound) as refusal:
            self.refusals.append(Refusal(self.clock.now(), run, str(refusal)))

    # ── what became of it ────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self) -> tuple[Run, ...]:
        """All runs, called ones included, newest first."""
        found: list[Run] = []
        query = RunQuery(limit=_ALL)
        while True:
            listing = self.services.runs.list(self.namespace, query)
            found += listing.runs
            if listing.cursor is None:
                return tuple(found)
            query = replace(query, cursor=listing.cursor)

    def head(self, run: str) -> Run:
        """The run as it is stored: its secrets are encrypted. Raises NotFound."""
        return self.services.reader.run(self.namespace, run)

    def history(self, run: str) -> tuple[Entry, ...]:
        """The run's whole history, its secrets encrypted. Raises NotFound."""
        return self.services.reader.history(self.namespace, run, 0, _ALL)

    @property
    def refusals(self) -> list[Refusal]:
        """What runs refused."""
        return self._answers.refusals

    @property
    def ignored(self) -> list[Seen]:
        """Final answers that moved no run: `action`, `step`, `state`."""
        return self._answers.ignored

    @property
    def emitted(self) -> list[Seen]:
        """The events that `emit` steps published, in order: `name`, `key`, `data`, and `to`, the run of a signal."""
        return list(self._emitted.values())

    def is_current(self, run: str, uuid: str) -> bool:
        """Return whether the run still waits for that activation."""
        head = self.services.runs.load(self.namespace, run)
        return head is not None and head.status not in status.ENDED and head.sent_of(uuid) is not None

    def decrypt(self, run: Run, value: Json) -> Json:
        """The value of a run with every secret in it readable."""
        return decrypt(value, self.services.secrets.cipher(run.namespace, run.id))

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, call: ports.Call) -> ports.Reply:
        """Take what the service sends."""
        if call.direct:
            return self.call(call)
        if self._notifying:
            return self._notify(self._notifying)
        body = msgspec.json.decode(call.body)
        return self.deliver(body) if "ackStates" in body else self._cancel(call, body)

    def _notify(self, message: Notify) -> ports.Reply:
        """A notification arrives at its hook."""
        event, now = msgspec.json.decode(message.body), self.clock.now()
        data = {**event["data"], "event": event["type"].removeprefix("echoer.")}
        reply = self._ask(Request(kind=Kind.HOOK, at=now, run=message.run, step="", name=message.hook, args=data))
        if isinstance(reply, Failure):
            return _not_taken(reply)
        self.notified.append(Seen(now, message.run, {"hook": message.hook, **data}))
        return ports.Taken()

    def _cancel(self, call: ports.Call, body: Mapping[str, Json]) -> ports.Reply:
        """A notice arrives at the `cancel` address of an action."""
        definition = self.services.definition_cache.of(self.head(body["flowId"]))
        own = getattr(definition.step(body["stepName"]), "action", "")
        names = [action.name for action in definition.actions.values() if action.cancel == call.addresses]
        name = own if own in names else names[0]
        fields = {"action": name, "step": body["stepName"], "reason": body["reason"]}
        self.canceled.append(Seen(self.clock.now(), body["flowId"], fields))
        return ports.Taken()

    def deliver(self, body: Mapping[str, Json]) -> ports.Reply:
        """One delivery arrives at its action."""
        run = self.head(body["flowId"])
        token, invocation = self._waiting(run, body["uuid"])
        if token is None or token.activation is None or invocation is None:
            return ports.Taken()
        args = {name: value for name, value in body.items() if name not in RESERVED_ARGS}
        request = self._request(Kind.ACTION, run, token, invocation.action.name, args)
        states, attempt = tuple(body["ackStates"]), token.activation.attempt + 1
        reply = self._ask(dataclasses.replace(request, states=states, attempt=attempt, undoes=token.id == UNDO))
        if isinstance(reply, Failure):
            return _not_taken(reply)
        if isinstance(reply, tuple):
            self._answers.plan(run, token, reply, request.name)
        return ports.Taken()

    def call(self, call: ports.Call) -> ports.Reply:
        """A direct call arrives at its action."""
        if call.uuid in self._jobs:
            return self._jobs.pop(call.uuid)
        run = self.head(call.run)
        token, invocation = self._waiting(run, call.uuid)
        if token is None or token.activation is None or invocation is None:
            raise LookupError(f"run {call.run!r} does not wait for {call.uuid!r}")
        action, definition = invocation.action, self.services.definition_cache.of(run)
        cipher, read_blob = self.services.secrets.cipher(run.namespace, run.id), blob_reader(self.services.runs, run)
        args = direct_args(definition, run, token, invocation, read_blob, cipher)
        request = self._request(Kind.ACTION, run, token, action.name, shown_args(args))
        attempt, undoes = token.activation.attempt + 1, token.id == UNDO
        asked = dataclasses.replace(
            request, states=action.returns, attempt=attempt, undoes=undoes, direct=action.direct
        )
        reply = self._ask(asked)
        if not action.direct and isinstance(reply, tuple):
            self._answers.plan(run, token, reply, action.name)
            return ports.Returned()
        if action.is_job and isinstance(reply, tuple):
            return self._begin_job(call, action, reply)
        return direct_replies.reply_of(reply, action, call.timeout, self.clock)

    def _begin_job(self, call: ports.Call, action: Action, reply: Sequence[Answer]) -> ports.Reply:
        """Start a job that ends as the reply says, or never: then it is looked at until its step times out."""
        after = reply[-1].after if reply else MAX_DELAY_MS
        looked_at = ports.Unfinished(f"{action.addresses[0]} {{}}", after)
        ends = [dataclasses.replace(answer, after=0) for answer in reply]
        self._jobs[call.uuid] = direct_replies.reply_of(tuple(ends), action, 0, self.clock) if ends else looked_at
        return looked_at

    # ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _task_opened(self, task: Task) -> None:
        self.at(self.clock.now(), partial(self._show, task))

    def _show(self, task: Task) -> None:
        """A person finds the task in the inbox."""
        shown = self.services.inbox.show(self.namespace, task)
        run = self.services.runs.load(self.namespace, task.run)
        token = run.token_of(task.uuid) if run else None
        if shown is None or run is None or token is None:
            return
        request = self._request(Kind.APPROVAL if shown.approval else Kind.TASK, run, token, shown.action, shown.args)
        reply = self._ask(dataclasses.replace(request, states=shown.states))
        if isinstance(reply, tuple):
            self._answers.plan(run, token, reply, shown.action, by="person")

    # ── called and started flows ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, message: Message) -> int | None:
        if isinstance(message, StartChild | ExecuteStep) and self._flow_replies.replace(message):
            return None
        starts = self._run_to_start(message) if isinstance(message, ExecuteStep) else ""
        if isinstance(message, ExecuteStep):
            self._executing = message.run
        self._notifying = message if isinstance(message, Notify) else None
        try:
            again = super().handle(message)
        finally:
            self._executing = ""
        if starts and self.services.runs.load(self.namespace, starts):
            self.started.append(Seen(self.clock.now(), message.run, {"name": starts}))
        return again

    def _run_to_start(self, message: ExecuteStep) -> str:
        """Return the name of the run that a `start` step is about to start, unless there is one of that name."""
        run = self.services.runs.load(self.namespace, message.run)
        token = run.token_of(message.uuid) if run else None
        wait = token.activation.wait if token and token.activation else None
        if not isinstance(wait, StartWait) or self.services.runs.load(self.namespace, wait.run):
            return ""
        return wait.run

    def _published(self, signal: Signal) -> None:
        """Note the event if an `emit` step publishes it. A step that is executed again publishes the same event."""
        if self._executing and signal.id not in self._emitted:
            to = next((run.name for run in self.runs() if run.id == signal.run), "") if signal.run else ""
            event = {"name": signal.name, "key": signal.key, "data": signal.data, "to": to}
            self._emitted[signal.id] = Seen(self.clock.now(), self._executing, event)

    # ── requests and answers ─────────────────────────────────────────────────────────────────────────────────────────

    def _waiting(self, run: Run, uuid: str) -> tuple[Token | None, Invocation | None]:
        token = run.sent_of(uuid)
        definition = self.services.definition_cache.of(run)
        return token, invocation_of(definition, run, token) if token else None

    def _request(self, kind: Kind, run: Run, token: Token, name: str, args: dict[str, Json]) -> Request:
        flow = run.definition.flow or run.name
        uuid = token.activation.uuid if token.activation else ""
        request = Request(kind=kind, at=self.clock.now(), run=run.name, step=token.step, name=name, args=args)
        return dataclasses.replace(request, flow=flow, uuid=uuid)

    def _ask_for_flow(self, run: Run, token: Token, flow: str, given: Json) -> Reply | None:
        return self._ask(self._request(Kind.FLOW, run, token, flow, given))

    def _ask(self, request: Request) -> Reply | None:
        self.requests.append(request)
        return self._responder(request)


def _not_taken(reply: Failure) -> ports.NotTaken:
    return ports.NotTaken(
        reply.error, final=reply.final, retry_after=reply.retry_after, status=reply.status, name=reply.name
    )
