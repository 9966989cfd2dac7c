"""Flows drawn from a seed, of all that Step Functions has too: for round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

_READ = (
    "$input.id",
    "$input.amount",
    "$result",
    "$result.id",
    "$result.number",
    "$input",
    "$string($input.amount)",
    "$exists($result.id)",
    "$need($input.id)",
    '$as($result, "number")',
    "$count($input.items)",
    '"t" & $result.id',
    '{ "a": $result.id, "b": $input.id }',
    "[$result, $input.id]",
    '$merge([{ "z": 1 }, { "y": $input.id }])',
    "$list($result, [1])",
    "$input.items[$ > 1]",
)
_CONDITIONS = (
    "$input.amount > 100",
    "$input.vip",
    "$result.id = 1",
    "$result.approved",
    "$exists($result.number)",
    "$result = null",
    "$input.vip and $result.id = 1",
    '$type($result) = "object"',
)
_ITEMS = ("${ $input.items }", "[1, 2]", "${ $input.items[$ > 1] }", "${ $input.missing }", "${ $input.id }")


@dataclass(frozen=True)
class _Place:
    """What steps may read and set: `own` are the variables that are theirs. `error`: the state of a failed step."""

    variables: tuple[str, ...]
    own: tuple[str, ...]
    has_item: bool = False
    depth: int = 0
    error: str = ""


class _Drawing:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a test
        self._named = 0

    def flow(self) -> str:
        place = _Place(("p", "q", "m"), ("p", "q"))
        output = f"output = {self._value(place)};" if self._is(0.3) else ""
        steps = self._steps(place, self._random.randint(1, 5))
        return f"flow f input = any; vars = (m = {{}}, p = 1, q = ${{ $input.k }}); {output}\n{steps}\nflow_end"

    def _is(self, chance: float) -> bool:
        return self._random.random() < chance

    def _one(self, choices: Sequence[str]) -> str:
        return self._random.choice(choices)

    def _expression(self, place: _Place) -> str:
        variable = self._one(place.variables)
        read = [*_READ, f"$vars.{variable}", f"$vars.{variable}.k"]
        read += ["$item", "$index + 1", '$item & "x"'] if place.has_item else []
        read += ["$error.name"] if place.error else []
        read += ["$error.step", "$error.state"] if place.error in ("ERROR", "TIMEOUT") else []
        return f"${{ {self._one(read)} }}"

    def _value(self, place: _Place) -> str:
        if self._is(0.2):
            return self._one(["1", '"text"', "null", "true", "[1, 2]", '{ "k": 1 }'])
        if self._is(0.2):
            return f'{{ "m": {self._expression(place)}, "l": [{self._expression(place)}, 2] }}'
        return self._expression(place)

    def _condition(self, place: _Place) -> str:
        found = [*_CONDITIONS, f"$vars.{self._one(place.variables)} = 1", *(["$index = 0"] if place.has_item else [])]
        return f"${{ {self._one(found)} }}"

    def _set(self, place: _Place, chance: float) -> str:
        if not self._is(chance):
            return ""
        keys = {self._key(place) for _ in range(self._random.randint(1, 2))}
        return ", ".join(f"{key} = {self._value(place)}" for key in sorted(keys))

    def _key(self, place: _Place) -> str:
        """Return a variable, or a member of the one that is always a map."""
        return self._one(["m.k", "m.j.k"]) if not place.depth and self._is(0.4) else self._one(place.own)

    def _target(self, place: _Place, later: Sequence[str]) -> str:
        if later and self._is(0.6):
            entries = self._set(place, 0.4)
            return self._one(later) + (f" ({entries})" if entries else "")
        if self._is(0.65):
            return self._one(["done", f"done (output = {self._value(place)})"])
        return self._one(["stopped", 'stopped (error = "Own")', 'stopped (error = "Own", cause = "why")'])

    def _routes(self, place: _Place, later: Sequence[str], states: Sequence[str], errors: Sequence[str] = ()) -> str:
        found: list[str] = []
        for state in states:
            if self._is(0.3):
                found.append(f"{state} when {self._condition(place)} -> {self._target(place, later)}")
            found.append(f"{state} -> {self._target(place, later)}")
        for state in errors:
            failed = replace(place, error=state)
            if state != "TIMEOUT" and self._is(0.3):
                when = self._one(['$error.name = "OutOfStock"', '$contains($error.cause, "left")'])
                found.append(f"{state} when ${{ {when} }} -> {self._target(failed, later)}")
            if self._is(0.5):
                found.append(f"{state} -> {self._target(failed, later)}")
        return " | ".join(found)

    def _steps(self, place: _Place, count: int) -> str:
        names = [f"S{self._named + number + 1}" for number in range(count)]
        self._named += count
        return "\n".join(self._step(place, name, names[number + 1 :]) for number, name in enumerate(names))

    def _step(self, place: _Place, name: str, later: Sequence[str]) -> str:
        entries = self._set(place, 0.5)
        save = f"save = ({entries});" if entries else ""
        kind = self._random.random()
        if kind < 0.45:
            return self._action(place, name, later, save, is_function=kind < 0.3)
        if kind < 0.6:
            whens = [f"when {self._condition(place)} -> {self._target(place, later)}" for _ in range(2)]
            whens += [f"else -> {self._target(place, later)}"] if self._is(0.8) else []
            return f"deci {name} => ({' | '.join(whens)});"
        done = self._routes(place, later, ["DONE"])
        if kind < 0.65:
            return f"wait {name} => ({done}) {{ for = 5s; {save} }};"
        if kind < 0.8 or place.depth == 2:
            return f"set {name} => ({done}) {{ {save} }};"
        return self._nested(place, name, later, save, is_fork=kind < 0.9)

    def _action(self, place: _Place, name: str, later: Sequence[str], save: str, *, is_function: bool) -> str:
        repeat = "repeat = (ERROR -> (max = 1, delay = 1s));" if self._is(0.2) else ""
        if is_function:
            routes = self._routes(place, later, ["OK"], ["ERROR"])
            return f"step {name} => ({routes}) {{ action = charge; args = {self._value(place)}; {save} {repeat} }};"
        routes = self._routes(place, later, ["BUILT", "BROKEN"], ["ERROR", "TIMEOUT"])
        args = "args = (project = ${ $string($input.id) });"
        return f"step {name} => ({routes}) {{ action = build; {args} {save} {repeat} timeout = 1h; }};"

    def _nested(self, place: _Place, name: str, later: Sequence[str], save: str, *, is_fork: bool) -> str:
        routes = self._routes(place, later, ["DONE"], ["FAIL"])
        if not is_fork:
            inner = replace(self._within(place, f"v{name}"), has_item=True)
            first = self._one(["0", "${ $item }", "${ $index }"])
            items, steps = self._one(_ITEMS), self._steps(inner, self._random.randint(1, 2))
            body = f"items = {items}; max = 1; {save} vars = (v{name} = {first}); {steps}"
            return f"each {name} => ({routes}) {{ {body} }};"
        branches = ""
        for branch in ("a", "b"):
            variable = f"{branch}{name}"
            steps = self._steps(self._within(place, variable), self._random.randint(1, 2))
            branches += f"branch {branch} {{ vars = ({variable} = {self._value(place)}); {steps} }};\n"
        return f"fork {name} => ({routes}) {{ {save}\n{branches} }};"

    @staticmethod
    def _within(place: _Place, variable: str) -> _Place:
        return replace(place, variables=(*place.variables, variable), own=(variable,), depth=place.depth + 1, error="")


def drawn_flow(seed: int) -> str:
    """Return the text of a flow `f`. Its actions are `charge` and `build`."""
    return _Drawing(seed).flow()
