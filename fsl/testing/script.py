"""The script of a test: which reply answers which request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final, TypeVar

from chalicelib.hosting import responder
from chalicelib.hosting.responder import Answer, Failure, HttpReply, Kind, Request
from chalicelib.model.flow import DEFAULT_STATE, ERROR, STOPPED_STATE, TIMEOUT
from chalicelib.model.json_values import Json
from chalicelib.model.run_error import ErrorName, StepError
from fsl.testing.cases import AnswerError, Case, FlowReply, HookReply, Replies, Reply, TestFile, as_list, replies
from fsl.testing.parts import span

_R = TypeVar("_R", Reply, FlowReply)
_U = TypeVar("_U", Reply, FlowReply, HookReply)

RETRIED_STATUSES: Final = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which a delivery is repeated (docs/http-api.md, 1)."""


class Script:
    """Implements `responder.Responder` by the replies of the test, and then by those of its file."""

    def __init__(self, file: TestFile, case: Case) -> None:
        self._steps = (case.steps, file.steps)
        self._actions = (case.actions, file.actions)
        self._approvals = (case.approvals, file.approvals)
        self._flows = {**file.flows, **case.flows}
        self._hooks = {**file.hooks, **case.hooks}
        self._used: Counter[tuple[str, str, int]] = Counter()
        self.unanswered: list[Request] = []
        """The requests for which the test has no reply."""
        self.observers: list[Callable[[Request, responder.Reply | None], None]] = []
        """Called with each request and its reply."""

    def __call__(self, request: Request) -> responder.Reply | None:
        reply = self._reply(request)
        for observe in self.observers:
            observe(request, reply)
        return reply

    def _reply(self, request: Request) -> responder.Reply | None:
        if request.kind is Kind.FLOW:
            return self._flow(request)
        if request.kind is Kind.HOOK:
            return self._hook(request)
        source = self._source(request)
        if source is None:
            self.unanswered.append(request)
            return None
        where, name, given = source
        return _as_reply(self._next(where, name, replies(given), request), request)

    def _source(self, request: Request) -> tuple[str, str, Replies] | None:
        """Find the replies for the request: by step before by action, the test's before the file's.

        A step of one flow (`flow.Step`) goes before steps of that name in all flows.
        """
        steps = (f"{request.flow}.{request.step}", request.step)
        sources: list[tuple[str, Mapping[str, Replies], tuple[str, ...]]]
        for n in (0, 1):
            if request.kind is Kind.APPROVAL:
                sources = [(f"approvals{n}", self._approvals[n], (*steps, request.name))]
            else:
                own = () if request.undoes else steps
                sources = [(f"steps{n}", self._steps[n], own), (f"actions{n}", self._actions[n], (request.name,))]
            for where, given, names in sources:
                found = next((name for name in names if name in given), None)
                if found is not None:
                    return where, found, given[found]
        return None

    def _flow(self, request: Request) -> responder.Reply | None:
        given = self._flows.get(request.name)
        if given is None:
            return None
        found = self._next("flows", request.name, as_list(given), request)
        state = DEFAULT_STATE if found.stopped is None else STOPPED_STATE
        return (Answer(state=state, data=found.output, error=_error_of_flow(found), after=span(found.after)),)

    def _hook(self, request: Request) -> responder.Reply | None:
        candidates = as_list(self._hooks.get(request.name, []))
        found = self._next_unused("hooks", request.name, candidates, range(len(candidates)))
        if found is None or found.fail is None:
            return None
        error = f"{request.name}: " + ("connection refused" if found.fail == "refused" else f"HTTP {found.fail}")
        status = found.fail if isinstance(found.fail, int) else None
        return Failure(error=error, retry_after=span(found.retry_after), status=status)

    def _next(self, where: str, name: str, candidates: Sequence[_R], request: Request) -> _R:
        """Return the first reply that fits the args and is not used up, or else the last one that fits.

        If a reply with `when` fits, those without are not considered.
        """
        fitting = [n for n, one in enumerate(candidates) if one.when and holds(one.when, request.args)]
        fitting = fitting or [n for n, one in enumerate(candidates) if not one.when] or [len(candidates) - 1]
        return self._next_unused(where, name, candidates, fitting) or candidates[fitting[-1]]

    def _next_unused(self, where: str, name: str, candidates: Sequence[_U], places: Iterable[int]) -> _U | None:
        """Return the first of these that is not used up; None if all are."""
        for n in places:
            if self._used[where, name, n] < candidates[n].times:
                self._used[where, name, n] += 1
                return candidates[n]
        return None


def holds(expected: Json, got: Json) -> bool:
    """Whether `got` equals `expected`; a mapping in `got` may have more keys."""
    if isinstance(expected, Mapping):
        return isinstance(got, Mapping) and all(name in got and holds(v, got[name]) for name, v in expected.items())
    if isinstance(expected, list) and isinstance(got, (list, tuple)):
        return len(expected) == len(got) and all(holds(one, other) for one, other in zip(expected, got, strict=True))
    return same(expected, got)


def same(expected: Json, got: Json) -> bool:
    """Whether two values are equal JSON: true is not 1, but 2.0 is 2."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        return expected.keys() == got.keys() and all(same(expected[name], got[name]) for name in expected)
    if isinstance(expected, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(expected) == len(got) and all(same(one, other) for one, other in zip(expected, got, strict=True))
    return bool(expected == got) and isinstance(expected, bool) is isinstance(got, bool)


def _as_reply(reply: Reply, request: Request) -> responder.Reply:
    if request.direct:
        return _as_direct_reply(reply, request)
    return _as_callback(reply, request)


def _as_direct_reply(reply: Reply, request: Request) -> responder.Reply:
    """Return the response of an action with `callback = none`; 200 is the default status."""
    if reply.fail == "refused":
        error = _text(reply) or f"{request.name}: connection refused"
        return Failure(error=error, retry_after=span(reply.retry_after))
    if reply.fail == "timeout":
        return ()
    after = span(reply.after)
    if reply.state is not None:
        return (Answer(state=reply.state, data=reply.data, error=_error_of(reply, request), after=after),)
    wait = span(reply.retry_after) // 1000
    headers = {**({"retry-after": str(wait)} if wait else {}), **reply.headers}
    status = reply.status if reply.fail is None else reply.fail
    body = reply.body if reply.body is not None else _text(reply) or None
    return HttpReply(status=status or HTTPStatus.OK, headers=headers, body=body, after=after)


def _as_callback(reply: Reply, request: Request) -> responder.Reply:
    if reply.fail == "refused":
        error = _text(reply) or f"{request.name}: connection refused"
        return Failure(error=error, retry_after=span(reply.retry_after))
    if isinstance(reply.fail, int):
        error = _text(reply) or f"{request.name}: HTTP {reply.fail}"
        final = reply.fail < 500 and reply.fail not in RETRIED_STATUSES
        name = ErrorName.REFUSED if final else ErrorName.UNDELIVERABLE
        return Failure(error=error, final=final, retry_after=span(reply.retry_after), status=reply.fail, name=name)
    answers: list[Answer] = []
    at = 0
    for report in reply.progress:
        for _ in range(report.times):
            at += span(report.after)
            answers.append(Answer(state=reply.state or "", data=report.data, vars=report.vars, after=at, done=False))
    is_answered = reply.state != TIMEOUT or TIMEOUT in request.states
    if reply.state is not None and reply.fail is None and is_answered:
        answers += _final_answers(reply, reply.state, request)
    return tuple(answers)


def _final_answers(reply: Reply, state: str, request: Request) -> list[Answer]:
    """Return the answer, and its repetition where it has one."""
    why, after = _error_of(reply, request), span(reply.after)
    answer = Answer(state=state, data=reply.data, vars=reply.vars, error=why, after=after, by_token=reply.by_token)
    return [answer, *([replace(answer, after=after + span(reply.again))] if reply.again is not None else [])]


def _text(reply: Reply) -> str:
    return reply.error if isinstance(reply.error, str) else reply.error.cause


def _error_of_flow(reply: FlowReply) -> StepError | None:
    if isinstance(reply.stopped, AnswerError):
        return StepError(reply.stopped.name, reply.stopped.cause)
    return StepError(ErrorName.CHILD_FAILED, reply.stopped) if reply.stopped else None


def _error_of(reply: Reply, request: Request) -> StepError | None:
    """Return the error of the answer: an action answers ERROR without declaring it only with one."""
    if isinstance(reply.error, AnswerError):
        return StepError(reply.error.name, reply.error.cause)
    is_undeclared = reply.state == ERROR and ERROR not in request.states
    return StepError("Error", reply.error) if reply.error or is_undeclared else None
