"""The names that a test can refer to, and what is wrong with those that it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from chalicelib import expressions
from chalicelib.engine.invocation import APPROVED, REJECTED
from chalicelib.model.actions import Action
from chalicelib.model.definition import Definition
from chalicelib.model.flow import BUILT_IN_STATES, Step, walk
from chalicelib.model.hooks import HookEvent
from chalicelib.model.similar_names import nearest
from fsl.testing.cases import Case, Replies, TestFile, replies
from fsl.testing.document import Path as Place
from fsl.testing.expectations import NAMED_BY, Contains, Expect, given
from fsl.testing.parts import Part
from fsl.testing.program import Program


class KnownNames:
    """The names that a test can refer to."""

    def __init__(self, program: Program) -> None:
        self._definitions: Sequence[Definition] = tuple(program.definitions.values())
        self._actions = {name: one for made in self._definitions for name, one in made.actions.items()}
        self._flows = set(program.definitions)
        self._hooks = set(program.hooks)
        self._configs = {name for made in self._definitions for name in made.config}
        self._steps: dict[str, list[Step]] = {}
        """The steps by their names, and by those of their flows and theirs (`flow.Step`)."""
        for flow, made in program.definitions.items():
            for step in walk(made.flow.steps):
                self._steps.setdefault(step.name, []).append(step)
                self._steps.setdefault(f"{flow}.{step.name}", []).append(step)

    def mocks(self, at: Place, given: TestFile | Case) -> Iterator[tuple[Place, str]]:
        for name, action in given.actions.items():
            known = self._actions.get(name)
            if known is None:
                yield (*at, "actions", name), unknown("action", name, self._actions)
            else:
                yield from _states((*at, "actions", name), action, {*known.returns, *BUILT_IN_STATES})
                yield from _fits((*at, "actions", name), action, [known])
        for name, step in given.steps.items():
            if name not in self._steps:
                yield (*at, "steps", name), unknown("step", name, self._steps)
            else:
                sent = [self._actions.get(getattr(one, "action", "")) for one in self._steps[name]]
                returns = {state for action in sent if action for state in (*action.returns, *BUILT_IN_STATES)}
                yield from _states((*at, "steps", name), step, returns)
                yield from _fits((*at, "steps", name), step, [action for action in sent if action])
        for name, approval in given.approvals.items():
            if name not in self._actions and name not in self._steps:
                yield (*at, "approvals", name), unknown("action or step", name, [*self._actions, *self._steps])
            yield from _states((*at, "approvals", name), approval, {APPROVED, REJECTED})
        for name in given.flows.keys() - self._flows:
            yield (*at, "flows", name), unknown("flow", name, self._flows)
        for name in given.hooks.keys() - self._hooks:
            yield (*at, "hooks", name), unknown("hook", name, self._hooks)
        for name in given.config.keys() - self._configs:
            yield (*at, "config", name), unknown("config that a flow reads", name, self._configs)

    def expectations(self, at: Place, expect: Expect) -> Iterator[tuple[Place, str]]:
        yield from self._steps_of(at, expect)
        yield from self._actions_of(at, expect)
        yield from self._happenings(at, expect)
        if expect.last_err is not None:
            yield from pattern_problems((*at, "last_err"), expect.last_err)
        for source in [expect.checks] if isinstance(expect.checks, str) else expect.checks:
            problem = expressions.problem_in(source)
            if problem:
                yield (*at, "assert"), f"not valid JSONata: {problem[1]} (at character {problem[0] + 1})"

    def _steps_of(self, at: Place, expect: Expect) -> Iterator[tuple[Place, str]]:
        wanted = expect.path.contains if isinstance(expect.path, Contains) else expect.path or []
        named = [("path", one if isinstance(one, str) else next(iter(one), "")) for one in wanted]
        named += [("at", one) for one in ([expect.at] if isinstance(expect.at, str) else expect.at or [])]
        named += [("undone", one) for one in expect.undone or []]
        for what, name in named:
            if name not in self._steps:
                yield (*at, what), unknown("step", name, self._steps)

    def _actions_of(self, at: Place, expect: Expect) -> Iterator[tuple[Place, str]]:
        ordered = [name for one in expect.order for name in ([one] if isinstance(one, str) else one)]
        called: dict[str, Iterable[str]] = {"calls": expect.calls, "call_times": expect.call_times, "order": ordered}
        for what, names in called.items():
            for name in names:
                if name not in self._actions and name not in self._flows and name not in self._hooks:
                    place = (*at, what) if what == "order" else (*at, what, name)
                    yield place, unknown("action or flow", name, [*self._actions, *self._flows])
        for name in expect.most.keys() - self._actions.keys():
            yield (*at, "most", name), unknown("action", name, self._actions)

    def _happenings(self, at: Place, expect: Expect) -> Iterator[tuple[Place, str]]:
        """Check the names of what is expected to be started, notified, canceled and ignored."""
        kinds: tuple[tuple[str, str, Iterable[str]], ...] = (
            ("started", "flow", self._flows),
            ("notified", "hook", self._hooks),
            ("notified", "event", [str(event) for event in HookEvent]),
            ("canceled", "action", [name for name, one in self._actions.items() if one.cancel]),
            ("ignored", "action", self._actions),
        )
        for what, kind, known in kinds:
            for n, one in enumerate(getattr(expect, what) or ()):
                is_named = isinstance(one, str) and kind == NAMED_BY[what]
                name = one if is_named else given(one).get(kind) if isinstance(one, Part) else None
                if name is not None and name not in known:
                    label = "action with a `cancel`" if what == "canceled" else kind
                    owner = "hooks have" if kind == "event" else "the program has"
                    yield (*at, what, n), unknown(label, str(name), known, owner)


def pattern_problems(at: Place, pattern: str) -> Iterator[tuple[Place, str]]:
    try:
        re.compile(pattern)
    except re.error as exc:
        yield at, f"not a regular expression: {exc}"


def _states(at: Place, given: Replies, known: set[str]) -> Iterator[tuple[Place, str]]:
    for one in replies(given):
        given_ways = [name for name in ("state", "fail", "status") if getattr(one, name) is not None]
        if not given_ways and not (one.progress or one.body is not None or one.headers):
            yield at, "a reply must have `state`, `fail` or `status`"
        if len(given_ways) > 1:
            yield at, f"a reply has either `{given_ways[0]}` or `{given_ways[1]}`, not both"
        if one.again is not None and one.state is None:
            yield at, "only a reply with `state` is answered `again`"
        if one.state is not None and one.state not in known:
            yield at, unknown("state", one.state, known)


def _fits(at: Place, given: Replies, actions: Sequence[Action]) -> Iterator[tuple[Place, str]]:
    """Find fields of replies that the kind of the actions does not have: by callback, or by the response."""
    if not actions:
        return
    only: tuple[str, ...] = ("status", "headers", "body")
    why = "answers by callback"
    of_callbacks = ("progress", "vars", "again", "by_token")
    if any(action.direct for action in actions):
        only, why = of_callbacks, "answers with its response (callback = none)"
    if any(action.direct and not action.is_http for action in actions):
        only, why = (*of_callbacks, "status", "headers", "body"), "returns a value or an error"
    for one in replies(given):
        for name in only:
            if getattr(one, name):
                yield at, f"`{name}` has no effect: action {actions[0].name!r} {why}"


def unknown(what: str, name: str, known: Iterable[str], owner: str = "the program has") -> str:
    names = sorted(known)
    near = nearest(name, names)
    hint = f"; did you mean {near!r}?" if near else f"; it has {', '.join(names) or 'none'}"
    return f"{owner} no {what} {name!r}{hint}"
