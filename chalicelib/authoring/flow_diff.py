"""The difference of two versions of a flow: steps, routes, actions and settings, in words of FSL. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from chalicelib.model.flow import Branch, EachStep, Flow, ForkStep, Route, Step, actions_named, children_of, flows_named
from chalicelib.model.json_values import Json
from chalicelib.model.templates import reference_of, source_of

_NAMED_ELSEWHERE: Final = frozenset({"name", "steps", "routes", "branches"})
"""Fields of a step or flow that are compared as steps and routes."""


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step, and where it is: the path of the steps and branches around it; empty at the top."""

    step: Step
    within: str


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A setting that differs. A value is None if the version does not state it."""

    name: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class ChangedStep:
    """A step that is in both versions, and differs."""

    name: str
    settings: tuple[ChangedSetting, ...]
    added_routes: tuple[str, ...]
    removed_routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameChange:
    """Names that only the later version has, and those that only the earlier one has."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlowDiff:
    """What differs between two versions of a flow."""

    added: tuple[PlacedStep, ...]
    removed: tuple[PlacedStep, ...]
    changed: tuple[ChangedStep, ...]
    actions: NameChange
    flows: NameChange
    settings: tuple[ChangedSetting, ...]
    """Settings of the flow itself."""


def diff(before: Flow, after: Flow) -> FlowDiff:
    """Return what changed from one version of a flow to another. A renamed step is removed and added."""
    old, new = dict(_placed(before.steps)), dict(_placed(after.steps))
    changed = (_changed(old[name], new[name]) for name in new if name in old)
    return FlowDiff(
        added=tuple(found for name, found in new.items() if name not in old),
        removed=tuple(found for name, found in old.items() if name not in new),
        changed=tuple(one for one in changed if one is not None),
        actions=_names(actions_named(before), actions_named(after)),
        flows=_names(flows_named(before), flows_named(after)),
        settings=_settings(_shown_fields(before), _shown_fields(after)),
    )


def route_text(route: Route) -> str:
    """Return the route as it is written, without what it sets."""
    words = [] if route.state is None else [route.state]
    if route.when is not None:
        words.append(f"when {' '.join(route.when.split())}")
    return f"{' '.join(words) or 'else'} -> {route.target}{_entries(route)}"


def _entries(route: Route) -> str:
    if not route.entries:
        return ""
    found = (f"{name} = {_as_text(_shown(value))}" for name, value in route.entries.items())
    return f" ({', '.join(found)})"


def _placed(steps: tuple[Step, ...], within: str = "") -> Iterator[tuple[str, PlacedStep]]:
    for step in steps:
        yield step.name, PlacedStep(step, within)
        for scope, nested in children_of(step):
            inner = f"{step.name}/{scope}" if scope else step.name
            yield from _placed(nested, f"{within}/{inner}" if within else inner)


def _changed(old: PlacedStep, new: PlacedStep) -> ChangedStep | None:
    before, after = [route_text(one) for one in old.step.routes], [route_text(one) for one in new.step.routes]
    settings = _settings(_step_fields(old), _step_fields(new))
    added = tuple(one for one in after if one not in before)
    removed = tuple(one for one in before if one not in after)
    if not settings and not added and not removed:
        if before == after:
            return None
        settings = (ChangedSetting("order of routes", before, after),)
    return ChangedStep(new.step.name, settings, added, removed)


def _step_fields(placed: PlacedStep) -> dict[str, Json]:
    step = placed.step
    found: dict[str, Json] = {"kind": str(step.__struct_config__.tag), "within": placed.within, **_shown_fields(step)}
    options = found.pop("options", {})
    found |= options if isinstance(options, dict) else {}
    if isinstance(step, ForkStep):
        found["branches"] = [branch.name for branch in step.branches]
        found |= {f"{branch.name}: {name}": value for branch in step.branches for name, value in _scope(branch)}
    if isinstance(step, EachStep):
        found.pop("vars", None)
        found |= dict(_scope(step))
    return found


def _scope(scope: Branch | EachStep) -> Iterator[tuple[str, Json]]:
    for name, value in scope.vars.items():
        yield f"vars.{name}", _shown(value)
    if scope.secret_vars:
        yield "secret_vars", list(scope.secret_vars)


def _shown_fields(owner: Step | Flow) -> dict[str, Json]:
    fields: dict[str, Json] = msgspec.to_builtins(owner)
    return {name: _shown(value) for name, value in fields.items() if name not in _NAMED_ELSEWHERE and name != "kind"}


def _settings(before: Mapping[str, Json], after: Mapping[str, Json], prefix: str = "") -> tuple[ChangedSetting, ...]:
    """Return the settings that differ. Of a setting that is a map in both, each member counts."""
    found: list[ChangedSetting] = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _settings(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(ChangedSetting(f"{prefix}{name}", old, new))
    return tuple(found)


def _names(before: frozenset[str], after: frozenset[str]) -> NameChange:
    return NameChange(tuple(sorted(after - before)), tuple(sorted(before - after)))


def _shown(template: Json) -> Json:
    """Return the template as it is written: expressions are `${...}`."""
    source = source_of(template)
    if source is not None:
        return "${" + source + "}"
    secret = reference_of(template)
    if secret is not None:
        return f"secret {secret}"
    if isinstance(template, Mapping):
        return {key: _shown(value) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [_shown(value) for value in template]
    return template


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
