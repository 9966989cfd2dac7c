"""Which secrets a decision depends on: what its conditions read that is encrypted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.engine.values.secret_values import holds_secret
from chalicelib.expressions import members_used
from chalicelib.model.definition import Definition
from chalicelib.model.flow import ChoiceStep, ConditionStep, SetStep, Step
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run


def secret_read(definition: Definition, before: Run | None, after: Run, entry: Entry) -> tuple[str, str] | None:
    """Return the condition and the name of the secret that it reads, if a step that returned by the entry decides by
    one; None if it does not. `before` and `after` are the heads around the decision."""
    step = definition.step(entry.step)
    if step is None or not entry.is_return:
        return None
    names = _names(before, after, entry)
    for condition in _conditions(step, entry.state):
        for path in sorted(members_used(condition)):
            if holds_secret(_found(names, path)):
                return condition.strip(), ".".join(path[:2])
    return None


def _conditions(step: Step, state: str) -> Iterator[str]:
    for route in step.routes:
        if route.when is not None and route.state in (None, state):
            yield route.when
    if not isinstance(step, (ChoiceStep, SetStep)):
        yield from (rule.when for rule in step.repeat if rule.when is not None and rule.state in (None, state))
    if isinstance(step, ConditionStep):
        yield step.condition


def _names(before: Run | None, after: Run, entry: Entry) -> dict[str, Json]:
    """Return what the names of conditions may hold. A value counts as secret if it was one before or after."""
    tokens = (*(before.tokens if before else ()), *after.tokens)
    scopes = [one for token in tokens for one in (token.vars, token.fork_vars) if one]
    known = [*scopes, before.vars if before else {}, after.vars, entry.vars]
    names = {name for variables in known for name in variables}
    results = [token.result for token in tokens]
    return {
        "input": after.input,
        "vars": {name: [one[name] for one in known if name in one] for name in names},
        "result": [*results, entry.data],
        "event": entry.data,
        "error": [token.error.data for token in tokens if token.error],
        "response": [token.response for token in tokens],
    }


def _found(names: Mapping[str, Json], path: tuple[str, ...]) -> Json:
    """Return what the first two members of the path lead to; more of them may hide nothing."""
    value = names.get(path[0])
    if len(path) == 1 or not isinstance(value, Mapping):
        return value
    return value.get(path[1])
