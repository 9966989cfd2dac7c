"""Read the routes of a step, and check their states, their targets and whether each can be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import read_entries
from chalicelib.language.check.steps.entries import read_route_entries
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Group, Route, Step, Word
from chalicelib.model import flow
from chalicelib.model.flow import DEFAULT_STATE, DONE, ENDS, ERROR, STOPPED

_MEANT: Final = {
    **dict.fromkeys(
        ("abort", "aborted", "cancel", "canceled", "cancelled", "error", "fail", "failed", "stop"), STOPPED
    ),
    **dict.fromkeys(("complete", "completed", "end", "ended", "finish", "finished", "succeeded", "success"), DONE),
}
"""What a target means that is no step: the end of a flow, in other words."""


@dataclass(slots=True)
class StepNode:
    """One step in the graph of its scope: its targets, and whether it takes no time."""

    word: Word
    targets: tuple[str, ...]
    instant: bool


@dataclass(slots=True)
class StepScope:
    """The steps of a flow, branch or each: routes lead to steps of the same scope."""

    names: frozenset[str]
    uncertain: bool
    """Some step names are unknown because of a syntax error."""
    incomplete: bool = False
    """Some routes are unknown, so the graph of the steps is not checked."""
    nodes: list[StepNode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class States:
    """The states that a step can return; `known` is None if they are unknown. `source` returns them."""

    known: tuple[str, ...] | None
    source: str
    own: tuple[str, ...] = ()
    """The states that should be routed."""


class Routing:
    """Reads and checks the routes of one step."""

    def __init__(self, context: Context, step: Step, scope: StepScope) -> None:
        self._context = context
        self._step = step
        self._scope = scope
        self._taken: set[str] = set()
        self._all_taken = False
        self._misspelled = False

    def by_state(self, states: States) -> tuple[flow.Route, ...]:
        """Read the routes of a step that returns states. A route without a target leads to done; `()` means DONE."""
        group = self._group()
        if group is None:
            return ()
        routes = read_entries(self._context, "routes", group, Route)
        if routes == ():
            self._check_state(Word(DEFAULT_STATE, quoted=False, span=group.span), states)
            return (flow.Route(target=DONE, state=DEFAULT_STATE),)
        if routes is None:
            self._scope.incomplete = True
            return ()
        found = tuple(built for route in routes for built in self._state_route(route, states))
        self._warn_of_unrouted(found, states)
        return found

    def by_data(self) -> tuple[flow.Route, ...]:
        """Read the routes of a choice, which have no states: `when` and `else`."""
        group = self._group()
        routes = () if group is None else read_entries(self._context, "routes", group, Route) or ()
        found = []
        for route in routes:
            if [word.text for word in route.states] == [ERROR]:
                found += self._built(route, route.states)
            elif route.state is None or (route.when is None and [word.key for word in route.states] == ["else"]):
                found += self._built(route, ())
            else:
                reason = f"deci '{self._step.name.text}' has no action, so its routes begin with when, ERROR or else"
                self._context.findings.report(Problem.MISPLACED_ROUTE, route.span, reason=reason)
        if group is not None and (not routes or not (routes[-1].state and routes[-1].state.key == "else")):
            self._context.findings.report(Problem.MAY_MATCH_NOTHING, group.span, step=self._step.name.text)
        return tuple(found)

    def _group(self) -> Group | None:
        if self._step.routes is None:
            self._context.findings.report(
                Problem.MISSING_PROPERTY,
                self._step.name.span,
                owner=f"{self._step.kind.text} '{self._step.name.text}'",
                name="=> (...)",
            )
        return self._step.routes

    def _state_route(self, route: Route, states: States) -> list[flow.Route]:
        is_else = route.when is None and [word.key for word in route.states] == ["else"]
        if is_else and route.states[0].text not in (states.known or ()):
            return self._built(route, ())
        for word in route.states:
            self._check_state(word, states)
        return self._built(route, route.states)

    def _built(self, route: Route, words: tuple[Word, ...]) -> list[flow.Route]:
        """Return one route for each state, or one for every state if there are no words."""
        when = None if route.when is None else self._context.source(route.when)
        several = len(words) > 1
        for word in words:
            self._check_reachable(word.text, when, word.span if several else route.span)
        if not words:
            self._check_reachable(None, when, route.span)
        target = self._target(route, words[0].text if words else None)
        entries = read_route_entries(self._context, target, route.entries) if route.target else {}
        states: Sequence[str | None] = [word.text for word in words] or [None]
        return [flow.Route(target=target, state=state, when=when, entries=entries) for state in states]

    def _check_reachable(self, state: str | None, when: str | None, span: Span) -> None:
        reason = None
        if self._all_taken:
            reason = "an earlier route matches everything"
        elif state is not None and state in self._taken:
            reason = f"an earlier route matches every {state}"
        if reason:
            self._context.findings.report(Problem.UNREACHABLE_ROUTE, span, reason=reason)
        elif when is None and state is None:
            self._all_taken = True
        elif when is None and state is not None:
            self._taken.add(state)

    def _check_state(self, word: Word, states: States) -> None:
        if states.known is not None and word.text not in states.known:
            self._misspelled = True
            near = Suggestion(word.text, states.known)
            self._context.findings.report(
                Problem.UNKNOWN_STATE,
                word.span,
                near=near,
                step=self._step.name.text,
                state=word.text,
                source=states.source,
            )

    def _target(self, route: Route, state: str | None) -> str:
        word = route.target
        if word is None and route.entries is not None:
            reason = "a route leads to a step, done or stopped"
            self._context.findings.report(Problem.MISPLACED_ROUTE, route.entries.span, reason=reason)
        if route.statuses:
            reason = "'on' belongs to the 'return' of an action"
            self._context.findings.report(Problem.MISPLACED_ROUTE, route.statuses[0].span, reason=reason)
        if word is None:
            return DONE
        if word.text.lower() in ENDS:
            return word.text.lower()
        if word.text not in self._scope.names and not self._scope.uncertain:
            self._unknown_target(word, state)
        return word.text

    def _unknown_target(self, word: Word, state: str | None) -> None:
        described = f"state {state}" if state is not None else "a route"
        self._context.findings.report(
            Problem.UNKNOWN_TARGET,
            word.span,
            near=Suggestion(word.text, (*self._scope.names, *ENDS), _MEANT.get(word.text.lower())),
            route=described,
            step=self._step.name.text,
            target=word.text,
        )

    def _warn_of_unrouted(self, found: tuple[flow.Route, ...], states: States) -> None:
        if self._all_taken or self._misspelled:
            return
        routed = {route.state for route in found}
        if None in routed:
            return
        for state in states.own:
            if state not in routed:
                self._context.findings.report(
                    Problem.UNROUTED_STATE,
                    self._step.name.span,
                    step=self._step.name.text,
                    state=state,
                    source=states.source,
                )
