"""A virtual host with scripted surroundings: actions, people and, where wanted, called flows.

The service is the real one. A `Responder` replies to what leaves it: deliveries arrive at the caller of actions, tasks
in the store of tasks, called flows as messages. Answers come back as signed callbacks, at the moment that the reply
names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import RLock

import msgspec

from chalicelib.adapters.memory import MemoryStore
from chalicelib.adapters.memory.store import MemoryTasks
from chalicelib.adapters.virtual import START, VirtualClock
from chalicelib.config import Settings
from chalicelib.engine.errors import ExpressionFailed, Refused, RunIsStopped
from chalicelib.engine.events import ChildEnded, Event, StepExecuted
from chalicelib.engine.invocation import UNDO, invocation_of
from chalicelib.engine.request_args import direct_args
from chalicelib.engine.steps.call import refuse_missing
from chalicelib.engine.values.secret_values import decrypt
from chalicelib.hosting import direct_replies
from chalicelib.hosting.responder import Answer, Failure, Kind, Reply, Request, Responder
from chalicelib.hosting.virtual import IN_MEMORY, VirtualHost
from chalicelib.hosting.wiring import webhook_key_of
from chalicelib.model import status
from chalicelib.model.actions import RESERVED_ARGS, Action, shown_args
from chalicelib.model.compiled_step import Invocation
from chalicelib.model.flow import CallStep, StartStep
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token
from chalicelib.model.times import Instant
from chalicelib.model.waits import ChildWait, StartWait
from chalicelib.service.events.event_types import EventRefused
from chalicelib.service.messages import ExecuteStep, Message, StartChild
from chalicelib.service.ports import actions as ports
from chalicelib.service.ports.queues import MAX_DELAY_MS
from chalicelib.service.ports.runs import RunQuery
from chalicelib.service.ports.tasks import Task
from chalicelib.service.runs import answer as service
from chalicelib.service.runs.blobs import blob_reader
from chalicelib.service.runs.children import MAX_CALL_DEPTH
from chalicelib.service.runs.start import StartOrder
from chalicelib.service.security.webhooks import AnswerSignature, signature_in, signed_headers

_ALL: int = 1 << 31


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something from outside that a run refused."""

    at: Instant
    run: str
    reason: str


class ScriptedHost(VirtualHost):
    """Runs of one namespace, and the script of everything around them."""

    def __init__(self, responder: Responder, *, settings: Settings = IN_MEMORY, start: Instant = START) -> None:
        store = MemoryStore()
        store.tasks = _Tasks(self._task_opened)
        super().__init__(_Caller(self), settings=settings, clock=VirtualClock(start), store=store)
        self.requests: list[Request] = []
        """Everything that was asked of the outside, in order."""
        self.refusals: list[Refusal] = []
        self._responder = responder
        self._jobs: dict[str, ports.Reply] = {}
        """What a job has ended with when it is looked at, by the uuid of its activation."""

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

    def signal(self, run: str, name: str, *, data: Json = None) -> None:
        """Publish an event for that run alone. Raises NotFound, CommandRefused."""
        services = self.services
        services.signaler.signal(self.namespace, services.reader.run(self.namespace, run), name, data=data)

    def _try(self, run: str, call: Callable[[], object]) -> None:
        try:
            call()
        except (Refused, EventRefused) as refusal:
            self.refusals.append(Refusal(self.clock.now(), run, str(refusal)))

    # ── what became of it ────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self) -> tuple[Run, ...]:
        """All runs, called ones included, newest first."""
        return self.services.runs.list(self.namespace, RunQuery(limit=_ALL)).runs

    def head(self, run: str) -> Run:
        """The run as it is stored: its secrets are encrypted. Raises NotFound."""
        return self.services.reader.run(self.namespace, run)

    def history(self, run: str) -> tuple[Entry, ...]:
        """The run's whole history, its secrets encrypted. Raises NotFound."""
        return self.services.reader.history(self.namespace, run, 0, _ALL)

    def decrypt(self, value: Json) -> Json:
        """The value with every secret in it readable."""
        return decrypt(value, self.services.secrets.cipher(self.namespace))

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self, body: Mapping[str, Json]) -> ports.Reply:
        """One delivery arrives at its action."""
        run = self.head(body["flowId"])
        token, invocation = self._waiting(run, body["uuid"])
        if token is None or token.activation is None or invocation is None:
            return ports.Taken()
        args = {name: value for name, value in body.items() if name not in RESERVED_ARGS}
        request = self._request(Kind.ACTION, run, token, invocation.action.name, args)
        states, attempt = tuple(body["ackStates"]), token.activation.attempt + 1
        reply = self._ask(replace(request, states=states, attempt=attempt, undoes=token.id == UNDO))
        if isinstance(reply, Failure):
            return ports.NotTaken(
                reply.error, final=reply.final, retry_after=reply.retry_after, status=reply.status, name=reply.name
            )
        self._plan_answers(run, token, reply if isinstance(reply, tuple) else (), "action")
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
        cipher, read_blob = self.services.secrets.cipher(self.namespace), blob_reader(self.services.runs, run)
        args = direct_args(definition, run, token, invocation, read_blob, cipher)
        request = self._request(Kind.ACTION, run, token, action.name, shown_args(args))
        attempt, undoes = token.activation.attempt + 1, token.id == UNDO
        asked = replace(request, states=action.returns, attempt=attempt, undoes=undoes, direct=action.direct)
        reply = self._ask(asked)
        if not action.direct and isinstance(reply, tuple):
            self._plan_answers(run, token, reply, "action")
            return ports.Returned()
        if action.is_job and isinstance(reply, tuple):
            return self._begin_job(call, action, reply)
        return direct_replies.reply_of(reply, action, call.timeout, self.clock)

    def _begin_job(self, call: ports.Call, action: Action, reply: Sequence[Answer]) -> ports.Reply:
        """Start a job that ends as the reply says, or never: then it is looked at until its step times out."""
        after = reply[-1].after if reply else MAX_DELAY_MS
        looked_at = ports.Unfinished(f"{action.addresses[0]} {{}}", after)
        ends = [replace(answer, after=0) for answer in reply]
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
        reply = self._ask(replace(request, states=shown.states))
        if isinstance(reply, tuple):
            self._plan_answers(run, token, reply, "person")

    # ── called and started flows ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, message: Message) -> int | None:
        if isinstance(message, StartChild) and self._answers_for_flow(message):
            return None
        if isinstance(message, ExecuteStep) and self._replaces_start(message):
            return None
        return super().handle(message)

    def _answers_for_flow(self, message: StartChild) -> bool:
        """Whether the script answers in the place of a run of the called flow. It is asked once for each call."""
        run = self.services.runs.load(self.namespace, message.run)
        token = run.token_of(message.uuid) if run and run.status not in status.ENDED else None
        wait = token.activation.wait if token and token.activation else None
        step = self.services.definition_cache.of(run).step(token.step) if run and token else None
        if run is None or token is None or not isinstance(step, CallStep) or not isinstance(wait, ChildWait):
            return False
        if (run.parent.depth if run.parent else 0) >= MAX_CALL_DEPTH:
            return False
        if self.services.runs.load(self.namespace, wait.child):
            return False
        if not self._is_admitted(step.flow, wait):
            return False
        reply = self._ask(self._request(Kind.FLOW, run, token, step.flow, self.decrypt(wait.input)))
        if not isinstance(reply, tuple):
            return False
        for answer in reply:
            ended = partial(self._end_child, run.name, message.uuid, answer)
            self.at(self.clock.now() + answer.after, ended)
        return True

    def _replaces_start(self, message: ExecuteStep) -> bool:
        """Whether the script has a reply for the flow that the step starts: then no run of it is started."""
        run = self.services.runs.load(self.namespace, message.run)
        token = run.token_of(message.uuid) if run and run.status in status.MOVING else None
        wait = token.activation.wait if token and token.activation else None
        step = self.services.definition_cache.of(run).step(token.step) if run and token else None
        if run is None or token is None or not isinstance(step, StartStep) or not isinstance(wait, StartWait):
            return False
        if self._ask(self._request(Kind.FLOW, run, token, step.flow, self.decrypt(wait.input))) is None:
            return False
        started = {"name": wait.run}

        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            return [StepExecuted(at=at, nonce=nonce, by="step", uuid=message.uuid, data=started)]

        self.services.advancer.advance(self.namespace, run.name, make_events)
        return True

    def _is_admitted(self, name: str, wait: ChildWait) -> bool:
        """Return whether the called flow takes the input; otherwise the service says why not."""
        flow = self.services.definition_cache.of_flow(self.namespace, name)[0].flow
        try:
            refuse_missing(flow, wait.missing)
            self.services.factory.input(self.namespace, flow, wait.input)
        except (Refused, ExpressionFailed):
            return False
        return True

    def _end_child(self, run: str, uuid: str, answer: Answer) -> None:
        def make_events(at: Instant, nonce: str) -> Sequence[Event]:
            ended = {"state": answer.state, "output": answer.data, "error": answer.error}
            return [ChildEnded(at=at, nonce=nonce, by="run", uuid=uuid, **ended)]

        self.services.advancer.advance(self.namespace, run, make_events)

    # ── requests and answers ─────────────────────────────────────────────────────────────────────────────────────────

    def _waiting(self, run: Run, uuid: str) -> tuple[Token | None, Invocation | None]:
        token = run.sent_of(uuid)
        definition = self.services.definition_cache.of(run)
        return token, invocation_of(definition, run, token) if token else None

    def _request(self, kind: Kind, run: Run, token: Token, name: str, args: dict[str, Json]) -> Request:
        flow = run.definition.flow or run.name
        return Request(kind=kind, at=self.clock.now(), run=run.name, step=token.step, name=name, args=args, flow=flow)

    def _ask(self, request: Request) -> Reply | None:
        self.requests.append(request)
        return self._responder(request)

    def _plan_answers(self, run: Run, token: Token, answers: Sequence[Answer], by: str) -> None:
        uuid = token.activation.uuid if token.activation else ""
        for answer in answers:
            error = answer.error
            given = service.Answer(
                run=run.name,
                step=token.step,
                uuid=uuid,
                state=answer.state,
                done=answer.done,
                data=answer.data,
                variables=answer.vars,
                error=service.AnswerError(name=error.name, cause=error.cause) if error else None,
            )
            self.at(self.clock.now() + answer.after, partial(self._answer, given, by))

    def _answer(self, answer: service.Answer, by: str) -> None:
        try:
            self.services.answerer.answer(self.namespace, answer, by=by, signature=self._sign(answer))
        except RunIsStopped:
            return
        except Refused as refusal:
            self.refusals.append(Refusal(self.clock.now(), answer.run, str(refusal)))

    def _sign(self, answer: service.Answer) -> AnswerSignature | None:
        """The signature of a service that has the namespace's key."""
        body, setting = msgspec.json.encode(answer), webhook_key_of(self.services.settings)
        headers = signed_headers(setting, self.namespace, f"answer-{answer.uuid}", self.clock.now(), body)
        return signature_in(headers, body)


class _Caller:
    """Implements `ports.actions.Caller`: hands each delivery to the host's script."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host

    def post(self, call: ports.Call) -> ports.Reply:
        if call.direct:
            return self._host.call(call)
        return self._host.deliver(msgspec.json.decode(call.body))


class _Tasks(MemoryTasks):
    """The store of tasks, which reports each task that is put."""

    def __init__(self, opened: Callable[[Task], None]) -> None:
        super().__init__(RLock())
        self._opened = opened

    def put(self, namespace: str, task: Task) -> None:
        super().put(namespace, task)
        self._opened(task)
