"""The world around the run of a case: it answers what steps ask as AWS recorded it, and notes what AWS did not record.

Implements `ports.actions.Caller`. Operations of AWS are given args that botocore accepts, or they are refused before
anything is answered, as in a real delivery.
"""

from __future__ import annotations

import json
import re
from functools import partial
from hashlib import md5
from typing import Any, Final

import msgspec

from chalicelib.adapters.aws_operations.arguments import DoesNotFit, parameters_of
from chalicelib.adapters.aws_operations.models import Models
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model.actions import Method
from chalicelib.model.flow import ERROR
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName
from chalicelib.model.step_token import StepToken
from chalicelib.service.ports.actions import Call, NotTaken, Raised, Reply, Response, Returned
from chalicelib.service.ports.tasks import Task
from chalicelib.service.runs.answer import Answer, AnswerError
from tests.conformance.asl.cases import Case, Kind, RecordedTask
from tests.conformance.asl.compare import request_difference

MODELS: Final = Models()
UNNAMED: Final = "TaskFailed"
"""What Echoer calls a failure without a name (`SendTaskFailure` without `error`)."""

_TOKEN_SUFFIX: Final = ".waitForTaskToken"
_TRANSPORT: Final = re.compile(
    r".*\.(TooManyRequestsException|.*Throttl.*|ServiceException|AWSLambdaException|SdkClientException)"
)


class RecordedWorld:
    """Answers deliveries and tasks. `host` is set by its maker."""

    host: VirtualHost

    def __init__(self, case: Case) -> None:
        self._objects = {stored.key: stored.body for stored in case.s3} if case.kind is Kind.S3 else {}
        self._known = json.dumps([case.definition, case.input], ensure_ascii=False)
        self._left = list(case.tasks)
        self._silent: set[str] = set()
        """The uuids of activations that are never answered: they are delivered again, which is no further request."""
        self.problems: list[str] = []

    @property
    def unasked(self) -> list[RecordedTask]:
        """The recorded tasks that nothing asked for."""
        return self._left

    # ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, call: Call) -> Reply:
        asked = msgspec.json.decode(call.body) if call.body else {}
        if call.uuid in self._silent:
            return self._no_answer(call)
        if call.method is Method.AWS:
            try:
                parameters_of(MODELS.operation(call.addresses[0]), asked, call.uuid)
            except DoesNotFit as exc:
                return NotTaken.own(str(exc), final=True, name=ErrorName.EXPRESSION_FAILED)
            if self._objects and "s3:" in call.addresses[0]:
                return self._s3(call.addresses[0], asked)
        task = self._task(call.run, call.uuid, asked, call.method)
        return self._reply(call, task) if task else NotTaken.own("AWS recorded no such request", final=True)

    def _reply(self, call: Call, task: RecordedTask) -> Reply:
        if task.service.endswith(_TOKEN_SUFFIX):
            if not task.timed_out:
                self.host.at(self.host.clock.now(), partial(self._answer_by_token, call.run, call.uuid, task))
            return Returned()
        if task.timed_out:
            self._silent.add(call.uuid)
            return self._no_answer(call)
        if task.failed:
            return _failure(task, is_repeated=any(left.state == task.state for left in self._left))
        if call.method is Method.LAMBDA and task.service == "lambda:invoke":
            return Returned(task.output["Payload"])
        return _response(task.output) if call.method in (Method.HTTP, Method.HTTPS) else Returned(task.output)

    def _no_answer(self, call: Call) -> NotTaken:
        self.host.clock.sleep(call.timeout)
        return NotTaken.own(f"{call.addresses[0]} did not answer", final=False)

    def _s3(self, operation: str, asked: dict[str, Any]) -> Reply:
        """Read or list the objects of the case."""
        given = {name[:1].upper() + name[1:]: value for name, value in asked.items()}
        if operation.endswith("listObjectsV2"):
            found = [_listed(key, self._objects[key]) for key in sorted(self._objects)]
            return Returned({"Contents": [one for one in found if one["Key"].startswith(given.get("Prefix", ""))]})
        if given.get("Key") not in self._objects:
            return Raised("S3.NoSuchKey", "The specified key does not exist.")
        return Returned({"Body": self._objects[given["Key"]], "ContentType": "binary/octet-stream"})

    # ── answers by token, and of people ──────────────────────────────────────────────────────────────────────────────

    def _answer_by_token(self, run: str, uuid: str, task: RecordedTask) -> None:
        """Send SendTaskSuccess or SendTaskFailure."""
        token, answerer = StepToken(self.host.namespace, run, uuid), self.host.services.token_answerer
        if task.failed:
            answerer.answer(token, _failed_answer(task))
        else:
            answerer.succeed(token, task.output)

    def opened(self, task: Task) -> None:
        """A task of a person, or of a worker that asks for tasks, was opened."""
        self.host.at(self.host.clock.now(), partial(self._work, task))

    def _work(self, opened: Task) -> None:
        shown = self.host.services.inbox.show(self.host.namespace, opened)
        if shown is None:
            return
        args = shown.args.get("value") if shown.args.keys() == {"value"} else shown.args
        task = self._task(opened.run, opened.uuid, args, Method.HUMAN)
        if task is None or task.timed_out:
            return
        answer = (
            _failed_answer(task)
            if task.failed
            else Answer(run="", step="", uuid="", state=shown.states[0], data=task.output)
        )
        named = msgspec.structs.replace(answer, run=opened.run, uuid=opened.uuid)
        self.host.services.answerer.answer(self.host.namespace, named, by="worker")

    # ── what was recorded ────────────────────────────────────────────────────────────────────────────────────────────

    def _task(self, run: str, uuid: str, asked: Json, method: Method) -> RecordedTask | None:
        """Take the recorded task that belongs to an activation: of its state, and, among several, like its request."""
        token = self.host.services.reader.run(self.host.namespace, run).token_of(uuid)
        step, index = (token.step, token.index) if token else ("", None)
        of_step = [task for task in self._left if _is_word_of(step, task.state)]
        if not of_step:
            self.problems.append(f"{step} asked {json.dumps(asked)[:200]}, which AWS did not record")
            return None

        def rank(task: RecordedTask) -> tuple[bool, bool]:
            is_other_item = bool(task.iteration) and task.iteration[-1][1] != index
            return is_other_item, bool(request_difference(asked, _request(task, method), self._known))

        task = min(of_step, key=rank)
        self._left.remove(task)
        differs = request_difference(asked, _request(task, method), self._known)
        if differs:
            self.problems.append(f"request of {step}{differs}")
        return task


def _is_word_of(step: str, state: str) -> bool:
    """Return whether a step is that of a state: its name is the state's, made a word, perhaps with a suffix."""
    word, name = _word(step), _word(state)
    return word == name or re.fullmatch(re.escape(name) + r"(step|state|[0-9]+)", word) is not None


def _word(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def _request(task: RecordedTask, method: Method) -> Any:
    """Return what the task's delivery sends: a function is called with its payload alone."""
    if method is Method.LAMBDA and task.service == "lambda:invoke":
        return task.request.get("Payload", {})
    return task.request


def _failure(task: RecordedTask, *, is_repeated: bool) -> Reply:
    """Return the failure. Trouble of the transport after which AWS called again is none of the service's."""
    name, cause = task.error or UNNAMED, _text(task.cause)
    if name == "States.DataLimitExceeded":
        return Returned(too_large=cause)
    if is_repeated and _TRANSPORT.fullmatch(name):
        return NotTaken(cause, final=False, name=name)
    return Raised(name.removeprefix("States."), cause)


def _failed_answer(task: RecordedTask) -> Answer:
    error = AnswerError(name=task.error or UNNAMED, cause=_text(task.cause))
    return Answer(run="", step="", uuid="", state=ERROR, done=True, error=error)


def _listed(key: str, body: str) -> dict[str, Any]:
    """Return an object as `s3:listObjectsV2` lists it."""
    data = body.encode()
    tag = f'"{md5(data, usedforsecurity=False).hexdigest()}"'
    moment = "2027-01-15T08:00:00Z"
    return {"Key": key, "Size": len(data), "ETag": tag, "LastModified": moment, "StorageClass": "STANDARD"}


def _text(cause: Any) -> str:
    return cause if isinstance(cause, str) else "" if cause is None else json.dumps(cause)


def _response(output: dict[str, Any]) -> Response:
    """Return the response of which `http:invoke` made this output."""
    body: Any = output.get("ResponseBody")
    headers = {name.lower(): ", ".join(values) for name, values in output.get("Headers", {}).items()}
    headers.setdefault("content-type", "application/json")
    is_text = isinstance(body, str) and "json" not in headers["content-type"]
    return Response(output.get("StatusCode", 200), headers, body.encode() if is_text else msgspec.json.encode(body))
