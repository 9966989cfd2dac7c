"""What is around a run of an imported flow: it answers what steps ask as recorded, and notes what differs.

Implements `ports.actions.Caller` for a virtual host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from chalicelib.engine.errors import Refused
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.actions import Method
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import Json
from chalicelib.model.run import Token
from chalicelib.model.step_token import StepToken
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.actions import Call, NotTaken, Raised, Reply, Response, Returned
from chalicelib.service.ports.tasks import Task
from chalicelib.service.runs.answer import Answer, AnswerError
from fsl.comparing.recordings import RecordedTask
from fsl.comparing.values import difference

_UNNAMED: Final = "TaskFailed"
"""The name of a failure that names none (`SendTaskFailure` without `error`)."""

_TOKEN: Final = ".waitForTaskToken"  # noqa: S105 - the end of the name of a resource
_TRANSPORT: Final = ("ServiceException", "AWSLambdaException", "SdkClientException", "TooManyRequestsException")
"""Ends of the names of errors after which a delivery is made again."""

_MASKED: Final = frozenset({"token", "Token", "taskToken", "TaskToken", "task_token"})
"""Members of requests that hold task tokens, which are new each time."""


class RecordedWorld:
    """Answers deliveries and tasks. `host` is set by its maker.

    Attributes:
        problems: What differs, in the order in which it was seen.
        left: The recorded calls that nothing has asked for yet.
    """

    host: VirtualHost

    def __init__(self, tasks: Collection[RecordedTask], ignored: Collection[str]) -> None:
        self.left = list(tasks)
        self.problems: list[str] = []
        self._ignored = ignored
        self._silent: set[str] = set()

    def post(self, call: Call) -> Reply:
        """Answer a delivery."""
        if call.uuid in self._silent:
            return self._no_answer(call)
        asked = msgspec.json.decode(call.body) if call.body else {}
        task = self._task(call.run, call.uuid, asked, call.method)
        if task is None:
            return NotTaken.own("Step Functions called nothing here", final=True)
        return self._reply(call, task)

    def opened(self, task: Task) -> None:
        """Let a worker answer a task of the inbox, which an activity becomes."""
        self.host.at(self.host.clock.now(), partial(self._work, task))

    # ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _reply(self, call: Call, task: RecordedTask) -> Reply:
        is_silent = task.outcome in ("timed out", "")
        if task.service.endswith(_TOKEN):
            if not is_silent:
                self.host.at(self.host.clock.now(), partial(self._answer_by_token, call.run, call.uuid, task))
            return Returned()
        if is_silent:
            self._silent.add(call.uuid)
            return self._no_answer(call)
        if task.outcome == "failed":
            return self._failure(task)
        output = task.output
        if call.method is Method.LAMBDA and isinstance(output, Mapping) and task.service == "lambda:invoke":
            output = output.get("Payload")
        return _response(output) if call.method in (Method.HTTP, Method.HTTPS) else Returned(output)

    def _failure(self, task: RecordedTask) -> Reply:
        """Return the failure; one of the transport after which Step Functions called again fails only the delivery."""
        name = task.error or _UNNAMED
        is_repeated = any(one.state == task.state and one.items == task.items for one in self.left)
        if is_repeated and name.rpartition(".")[2] in _TRANSPORT:
            return NotTaken(task.cause, final=False, name=name)
        return Raised(name.removeprefix("States."), task.cause)

    def _no_answer(self, call: Call) -> NotTaken:
        self.host.clock.sleep(call.timeout)
        return NotTaken.own(f"{call.addresses[0]} did not answer", final=False)

    def _answer_by_token(self, run: str, uuid: str, task: RecordedTask) -> None:
        token, answerer = StepToken(self.host.namespace, run, uuid), self.host.services.token_answerer
        try:
            if task.outcome == "failed":
                answerer.answer(token, _failed(task))
            else:
                answerer.succeed(token, task.output)
        except (Refused, ServiceError) as refusal:
            self.problems.append(f"the answer of state {task.state} is refused: {refusal}")

    def _work(self, opened: Task) -> None:
        found = self.host.services.inbox.show(self.host.namespace, opened)
        if found is None:
            return
        asked = found.args.get("value") if found.args.keys() == {"value"} else found.args
        task = self._task(opened.run, opened.uuid, asked, Method.HUMAN)
        if task is None or task.outcome in ("timed out", ""):
            return
        answer = _failed(task)
        if task.outcome == "answered":
            answer = Answer(run="", step="", uuid="", state=found.states[0], data=task.output)
        named = msgspec.structs.replace(answer, run=opened.run, uuid=opened.uuid)
        try:
            self.host.services.answerer.answer(self.host.namespace, named, by="worker")
        except (Refused, ServiceError) as refusal:
            self.problems.append(f"the answer of state {task.state} is refused: {refusal}")

    # ── what was recorded ────────────────────────────────────────────────────────────────────────────────────────────

    def _task(self, run: str, uuid: str, asked: Json, method: Method) -> RecordedTask | None:
        """Take the recorded call that an activation is: of its state and item, and among several the most similar."""
        head = self.host.services.reader.run(self.host.namespace, run)
        token = head.token_of(uuid)
        step, items = (token.step, _items_of(token, head.tokens)) if token else ("", ())
        of_step = [task for task in self.left if is_word_of(step, task.state)]
        of_step = [task for task in of_step if task.items == items] or of_step
        if not of_step:
            self.problems.append(f"step {step} is called with {_brief(asked)}; Step Functions does not call it here")
            return None
        task = min(of_step, key=lambda one: bool(self._unlike(asked, one, method)))
        self.left.remove(task)
        unlike = self._unlike(asked, task, method)
        if unlike:
            self.problems.append(f"the request of step {step}: {unlike}")
        return task

    def _unlike(self, asked: Json, task: RecordedTask, method: Method) -> str:
        request = task.request
        if method is Method.LAMBDA and task.service == "lambda:invoke" and isinstance(request, Mapping):
            request = request.get("Payload", {})
        if method in (Method.HTTP, Method.HTTPS) and isinstance(request, Mapping):
            request = request.get("RequestBody", {})
        return difference(_masked(asked), _masked(request), self._ignored)


def is_word_of(step: str, state: str) -> bool:
    """Return whether a step is that of a state: its name is the state's, made a word, perhaps with a number."""
    word, name = _word(step), _word(state)
    return word == name or (word.startswith(name) and word[len(name) :].isdigit())


def _word(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def _items_of(token: Token, tokens: tuple[Token, ...]) -> tuple[int, ...]:
    """Return the index of each item around the token, the outermost first."""
    by_id = {one.id: one for one in tokens}
    found: list[int] = []
    at: Token | None = token
    while at is not None:
        if at.index is not None:
            found.insert(0, at.index)
        at = by_id.get(at.parent)
    return tuple(found)


def _masked(value: Any) -> Any:
    """Return a request without task tokens."""
    if isinstance(value, Mapping):
        return {name: None if name in _MASKED else _masked(one) for name, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value


def _failed(task: RecordedTask) -> Answer:
    error = AnswerError(name=task.error or _UNNAMED, cause=task.cause)
    return Answer(run="", step="", uuid="", state=ERROR, done=True, error=error)


def _response(output: Any) -> Response:
    """Return the response of which `http:invoke` made this output."""
    found = output if isinstance(output, Mapping) else {}
    headers = {name.lower(): ", ".join(map(str, values)) for name, values in found.get("Headers", {}).items()}
    headers.setdefault("content-type", "application/json")
    body = found.get("ResponseBody")
    is_text = isinstance(body, str) and "json" not in headers["content-type"]
    data = body.encode() if isinstance(body, str) and is_text else msgspec.json.encode(body)
    return Response(int(found.get("StatusCode", 200)), headers, data)


def _brief(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 160 else f"{text[:160]}..."
