"""Apply operations to the draft of a flow. What cannot be done is refused with the reason, before anything changes."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.authoring import keywords
from chalicelib.authoring.edit import routes, values
from chalicelib.authoring.edit.drafts import (
    BRANCH,
    ELSE,
    FlowDraft,
    Mention,
    OtherDraft,
    PropertyDraft,
    RouteDraft,
    Scope,
    StepDraft,
    every_step,
    steps_of,
)
from chalicelib.authoring.edit.errors import EditRefused, unknown
from chalicelib.authoring.edit.operations import Add, Delete, Operation, Rename, SetProperty, SetRoute, Unroute
from chalicelib.authoring.edit.routes import Returns
from chalicelib.authoring.occurrences import NotRenamed, already_there, check_name, steps_in
from chalicelib.language.syntax import tree
from chalicelib.model.flow import DONE, ENDS, STOPPED


class Editor:
    """Changes one draft. `returns` says which states the actions return."""

    def __init__(self, flow: FlowDraft, returns: Returns) -> None:
        self._flow = flow
        self._returns = returns

    def apply(self, operations: Sequence[Operation]) -> None:
        """Apply operations in order. Raises EditRefused, which names the operation as `do[NUMBER]`."""
        for number, operation in enumerate(operations):
            try:
                self._apply(operation)
            except (EditRefused, NotRenamed) as problem:
                raise EditRefused(f"do[{number}]: {problem}") from problem

    def _apply(self, operation: Operation) -> None:
        match operation:
            case Add(kind="branch"):
                self._add_branch(operation)
            case Add():
                self._add(operation)
            case Rename():
                self._rename(operation)
            case SetRoute():
                self._route(operation)
            case Unroute():
                self._unroute(operation)
            case SetProperty():
                scope = self._flow if operation.step is None else self._found(operation.step)
                self._set(scope, operation.property, operation.value)
            case Delete():
                self._delete(operation)

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _found(self, name: str) -> StepDraft:
        """Return a step by name, or a branch as `FORK/BRANCH`."""
        found = self._flow.steps.get(name, [])
        if not found and "/" in name:
            fork, _, branch = name.rpartition("/")
            found = [one for step in self._flow.steps.get(fork, []) for one in steps_of(step) if one.is_branch]
            found = [one for one in found if one.name.name == branch]
        if not found:
            raise unknown("step", name, self._flow.steps, self._flow.label)
        if len(found) > 1:
            raise EditRefused(f"{self._flow.label} has {len(found)} steps '{name}'")
        return found[0]

    def _step(self, name: str) -> StepDraft:
        """Return a step by name, and no branch."""
        found = self._found(name)
        if found.is_branch:
            raise EditRefused(f"'{name}' is a branch, and no step")
        return found

    def _routed_step(self, name: str) -> StepDraft:
        """Return a step of which the routes can be changed."""
        found = self._step(name)
        group = found.node.routes if found.node is not None else None
        if found.node is not None and (group is None or not all(isinstance(one, tree.Route) for one in group.items)):
            raise EditRefused(f"{found.label} has no routes that can be read: they are written as `=> (STATE -> STEP)`")
        return found

    def _check_new(self, name: str) -> None:
        check_name("step", name)
        if name in self._flow.steps:
            raise EditRefused(already_there("step", name))

    def _target(self, step: StepDraft, to: str) -> str:
        scope = step.scope or self._flow
        names = [one.name.name for one in steps_of(scope) if not one.is_branch]
        prefixes = [
            one.node.prefix.text
            for one in scope.members
            if isinstance(one, OtherDraft) and isinstance(one.node, tree.Use)
        ]
        return routes.target_of(self._flow, step, to, names, prefixes)

    # ── add ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_branch(self, operation: Add) -> None:
        if operation.into is None or any(
            (operation.after, operation.before, operation.on, operation.when, operation.to)
        ):
            raise EditRefused("a branch is added `into` a fork, and nothing leads to it")
        fork = self._step(operation.into)
        if fork.kind != "fork":
            raise EditRefused(f"{fork.label} is no fork, so it has no branches")
        check_name("step", operation.name)
        if any(one.name.name == operation.name for one in steps_of(fork)):
            raise EditRefused(f"{fork.label} has a branch '{operation.name}' already")
        branch = StepDraft(BRANCH, Mention(operation.name), [], scope=fork)
        self._fill(branch, operation)
        fork.members.append(branch)

    def _add(self, operation: Add) -> None:
        if sum(one is not None for one in (operation.after, operation.before, operation.into)) > 1:
            raise EditRefused("a step is added `after` or `before` a step, or `into` one: only one of them")
        if operation.after is None and (operation.on is not None or operation.when is not None):
            raise EditRefused("`on` and `when` name the route of the step in `after`, which is not given")
        self._check_new(operation.name)
        scope, at, led, to = self._place(operation)
        step = StepDraft(operation.kind, Mention(operation.name), [], scope=scope)
        if operation.to is not None:
            to = operation.name if operation.to == operation.name else self._target(step, operation.to)
        self._fill(step, operation)
        step.routes = routes.new_routes(self._flow, step, to, self._returns)
        step.name = self._flow.mention(operation.name)
        self._flow.steps[operation.name] = [step]
        scope.members.insert(at, step)
        for anchor, route in led:
            found = routes.parted(self._flow, anchor, route, operation.on) if operation.on else route
            routes.lead(self._flow, found, operation.name)

    def _place(self, operation: Add) -> tuple[Scope, int, list[tuple[StepDraft, RouteDraft]], str]:
        """Return where the new step stands: its scope and index, the routes that shall lead to it, and its target."""
        if operation.after is not None:
            anchor = self._routed_step(operation.after)
            found: RouteDraft | None = next((one for one in anchor.routes if not one.is_deleted), None)
            if operation.on is not None or operation.when is not None:
                found = self._led(anchor, operation.on, _condition(operation.when))
            scope = anchor.scope or self._flow
            led = [(anchor, found)] if found else []
            return scope, scope.members.index(anchor) + 1, led, found.target.name if found else DONE
        if operation.before is not None:
            anchor = self._step(operation.before)
            scope = anchor.scope or self._flow
            led = [(anchor, one) for one in self._leading_to(anchor.name.name)]
            return scope, scope.members.index(anchor), led, operation.before
        scope = self._found(operation.into) if operation.into else self._flow
        if isinstance(scope, StepDraft) and scope.kind not in (BRANCH, "each"):
            hint = (
                "name one of its branches as `FORK/BRANCH`"
                if scope.kind == "fork"
                else "only a branch and an each have"
            )
            raise EditRefused(f"{scope.label} has no steps of its own: {hint}")
        return scope, len(scope.members), [], DONE

    def _led(self, anchor: StepDraft, on: str | None, when: str | None) -> RouteDraft:
        """Return the route that shall lead to a new step. A state that is not routed gets one: it stops the run."""
        found = routes.route_of(anchor, on, when)
        known = routes.route_states(anchor, routes.own_states(anchor, self._returns)) or ()
        if found is not None or on is None or when is not None or on not in known:
            return found or routes.required_route(anchor, on, when)
        instead = routes.route_of(anchor, ELSE, None)
        new = routes.route_to(self._flow, [on], None, instead.target.name if instead else STOPPED)
        anchor.routes.insert(routes.place_of(anchor, [on]), new)
        return new

    def _leading_to(self, name: str) -> list[RouteDraft]:
        """Return the routes that lead to a step."""
        found = [one.route for one in self._flow.mentions.get(name, ()) if one.route is not None and not one.is_dropped]
        return [one for one in found if not one.is_deleted]

    def _fill(self, step: StepDraft, operation: Add) -> None:
        for name, value in operation.given.items():
            self._set(step, name, value)

    # ── change ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rename(self, operation: Rename) -> None:
        if operation.step is None:
            raise EditRefused("a rename names its `step`; `at` is only for a rename that is the only operation")
        step, new = self._step(operation.step), operation.to
        old = step.name.name
        if new == old:
            return
        self._check_new(new)
        for mention in self._flow.mentions.get(old, ()):
            mention.name = new
        self._flow.mentions.setdefault(new, []).extend(self._flow.mentions.pop(old, []))
        self._flow.steps[new] = self._flow.steps.pop(old)

    def _route(self, operation: SetRoute) -> None:
        step, states, when = self._routed_step(operation.step), _states(operation), _condition(operation.when)
        to = self._target(step, operation.to)
        found = self._routed(step, states, when)
        if found is not None:
            routes.lead(self._flow, found, to)
            return
        if ELSE in states and (when is not None or len(states) > 1):
            raise EditRefused("`else` stands alone, without a condition")
        for state in states:
            if not (routes.decides_by_data(step) and state == ELSE):
                routes.check_state(step, state, self._returns)
        condition = None if when is None else self._flow.source(when, steps_in(when))
        new = routes.route_to(self._flow, states, condition, to)
        step.routes.insert(routes.place_of(step, states), new)

    def _routed(self, step: StepDraft, states: tuple[str, ...], when: str | None) -> RouteDraft | None:
        """Return the route of these states, or of one alone, which is parted from others; None if there is none."""
        left = [one for one in step.routes if not one.is_deleted]
        if len(states) > 1:
            return next((one for one in left if one.has(states, when)), None)
        state = states[0] if states else None
        found = next((one for one in left if one.matches(state, when)), None)
        return None if found is None else routes.parted(self._flow, step, found, state)

    def _unroute(self, operation: Unroute) -> None:
        step, states, when = self._routed_step(operation.step), _states(operation), _condition(operation.when)
        if len(states) > 1:
            found = next((one for one in step.routes if not one.is_deleted and one.has(states, when)), None)
            if found is None:
                routes.required_route(step, ", ".join(states), when)
                return
        else:
            found = routes.required_route(step, states[0] if states else None, when)
            if len(found.states) > 1:
                found.states = [one for one in found.states if one[0] != states[0]]
                return
        if sum(not one.is_deleted for one in step.routes) == 1:
            raise EditRefused(f"{step.label} has no other route, and without any, DONE would lead to done")
        if found.node is None:
            step.routes.remove(found)
        found.is_deleted = True

    def _set(self, scope: Scope, name: str, value: object) -> None:
        known = keywords.properties_of(scope.kind)
        key = name.lower()
        if key not in known:
            raise unknown("property", name, known, scope.label)
        found = next((one for one in scope.members if isinstance(one, PropertyDraft) and one.name == key), None)
        if value is None:
            if found is not None and found.node is None:
                scope.members.remove(found)
            elif found is not None:
                found.is_deleted = True
            return
        written = values.written(key, value)
        if found is None:
            found = PropertyDraft(key)
            places = [number for number, one in enumerate(scope.members, 1) if isinstance(one, PropertyDraft)]
            scope.members.insert(places[-1] if places else 0, found)
        found.value, found.is_deleted = self._flow.source(written, values.steps_named(written)), False

    # ── delete ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _delete(self, operation: Delete) -> None:
        step = self._found(operation.step)
        scope = step.scope or self._flow
        others = [one for one in scope.members if one is not step and not one.is_deleted]
        if not any(isinstance(one, (StepDraft, OtherDraft)) for one in others):
            raise EditRefused(f"{step.label} is the only one of {scope.label}, which needs one")
        if operation.heal and not step.is_branch:
            self._heal(step, scope)
        for gone in (step, *every_step(step)):
            named = self._flow.steps.get(gone.name.name, [])
            if gone in named and len(named) == 1:
                del self._flow.steps[gone.name.name]
            elif gone in named:
                named.remove(gone)
            for route in gone.routes:
                route.is_deleted = True
        if step.node is None:
            scope.members.remove(step)
        step.is_deleted = True

    def _heal(self, step: StepDraft, scope: Scope) -> None:
        """Let what led to a step lead where its first route leads; of a route to itself, the next one counts."""
        name = step.name.name
        targets = [one.target.name for one in step.routes if not one.is_deleted]
        to = next((one for one in targets if one != name), DONE)
        for route in self._leading_to(name):
            if route not in step.routes:
                routes.lead(self._flow, route, to)
        # Routes of other flows, which use this one, name the step with a prefix.
        mentions = self._flow.mentions.get(name, [])
        for mention in [one for one in mentions if one.place is not None and one.place.prefix and to not in ENDS]:
            mention.name = to
            mentions.remove(mention)
            self._flow.mentions.setdefault(to, []).append(mention)
        following = [one for one in scope.members if isinstance(one, (StepDraft, OtherDraft)) and not one.is_deleted]
        if following[0] is not step or to in ENDS:
            return
        successor = next((one for one in steps_of(scope) if one.name.name == to), None)
        if successor is not None and following[1] is not successor:
            self._move(successor, scope, step)

    def _move(self, step: StepDraft, scope: Scope, first: StepDraft) -> None:
        """Let a flow begin with a step: what began it is deleted."""
        at = scope.members.index(step)
        if step.node is not None and not step.is_moved:
            scope.members[at] = OtherDraft(step.node, is_deleted=True)
            step.is_moved = True
        else:
            del scope.members[at]
        scope.members.insert(scope.members.index(first), step)


def _states(operation: SetRoute | Unroute) -> tuple[str, ...]:
    """Return the states that an operation names. Raises EditRefused if it names no route."""
    state = operation.state
    if state is None and operation.when is None:
        raise EditRefused("a route has a `state`, a condition `when`, or both; `else` is a state")
    return () if state is None else (state,) if isinstance(state, str) else state


def _condition(when: str | None) -> str | None:
    return None if when is None else values.condition(when)
