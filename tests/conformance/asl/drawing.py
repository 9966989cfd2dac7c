"""How machines are drawn."""

from __future__ import annotations

from random import Random
from typing import Any, Final, TypeAlias

State: TypeAlias = dict[str, Any]

BASE: Final[dict[str, Any]] = {"a": 2, "b": "text", "l": [1, 2, 3], "o": {"x": 5, "y": "deep"}, "t": True, "n": None}
"""The members that documents mostly have."""

FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:work"

_PATHS: Final = ("$.a", "$.b", "$.l", "$.o", "$.o.x", "$.o.y", "$.t", "$.n", "$.l[0]", "$.l[1]", "$")
NUMBERS: Final = ("$.a", "$.o.x", "$.l[0]")
VALUES: Final[tuple[Any, ...]] = (
    1,
    0,
    -3,
    2.5,
    "word",
    "",
    True,
    False,
    None,
    [],
    [1, [2]],
    {},
    {"k": "v", "m": {"z": 1}},
)
ERRORS: Final = ("Broken", "Late", "Odd")
_VARIABLES: Final = ("u", "v", "w")


class Drawing:
    """Draws one machine."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0
        self._variables: list[list[str]] = []
        """The variables of the machine and of the scopes within it, the innermost last."""
        self._with_variables = random.random() < 0.6
        self._with_missing = random.random() < 0.3

    def machine(self) -> tuple[State, Any]:
        """Return a machine and an input."""
        given = dict(BASE) | ({"extra": self._pick(VALUES)} if self._chance(0.3) else {})
        return self._scope(self._random.randint(2, 6), depth=0), given

    def _scope(self, size: int, depth: int) -> State:
        names = [self._name() for _ in range(size)]
        states: dict[str, State] = {}
        own = [f"{name}{depth or ''}" for name in _VARIABLES] if self._with_variables and self._chance(0.6) else []
        if own:
            start = {"Type": "Pass", "Assign": {name: self._pick(VALUES) for name in own}, "Next": names[0]}
            states[self._name()] = start
        self._variables.append(own)
        fails: dict[str, State] = {}
        for number, name in enumerate(names):
            states[name] = self._state(names[number + 1 :], fails, depth)
        self._variables.pop()
        return {"StartAt": next(iter(states)), "States": {**states, **fails}}

    def _state(self, later: list[str], fails: dict[str, State], depth: int) -> State:
        kinds = ["Pass"] * 4 + ["Choice"] * 2 * bool(later) + ["Wait", "Task"] + ["Map", "Parallel"] * (depth < 2)
        kind = self._pick(kinds if later else [*kinds, "Succeed"])
        if kind == "Choice":
            return self._choice(later, fails)
        state: State = {"Type": kind}
        if kind == "Succeed":
            return state
        getattr(self, f"_{kind.lower()}")(state, depth)
        self._flow_of_data(state, kind)
        if kind in ("Task", "Map", "Parallel"):
            self._errors(state, later, fails)
        target = later[0] if later and self._chance(0.8) else self._pick(later) if later else ""
        return state | ({"Next": target} if target else {"End": True})

    # ── kinds ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pass(self, state: State, _depth: int) -> None:
        if self._chance(0.3):
            state["Result"] = {**BASE, "r": self._pick(VALUES)} if self._chance(0.7) else self._pick(VALUES)
        elif self._chance(0.4):
            state["Parameters"] = self._template()

    def _wait(self, state: State, _depth: int) -> None:
        state.update({"SecondsPath": self._pick(NUMBERS)} if self._chance(0.3) else {"Seconds": 2})

    def _task(self, state: State, _depth: int) -> None:
        state["Resource"] = FUNCTION
        if self._chance(0.4):
            state["Parameters"] = {"fail": self._pick(ERRORS), "at.$": self._path()}
        elif self._chance(0.6):
            state["Parameters"] = self._template()

    def _map(self, state: State, depth: int) -> None:
        state["ItemsPath"] = "$.l" if self._chance(0.9) else self._path()
        if self._chance(0.6):
            state["ItemSelector"] = {**self._template(), "item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"}
        state["ItemProcessor"] = self._inner(depth)

    def _parallel(self, state: State, depth: int) -> None:
        if self._chance(0.2):
            state["Parameters"] = self._template()
        state["Branches"] = [self._inner(depth) for _ in range(self._random.randint(1, 2))]

    def _inner(self, depth: int) -> State:
        return self._scope(self._random.randint(1, 3), depth + 1)

    def _choice(self, later: list[str], fails: dict[str, State]) -> State:
        rules = []
        for _ in range(self._random.randint(1, 3)):
            rule = {**self._rule(2), "Next": self._target(later, fails)}
            if self._chance(0.2) and self._variables[-1]:
                rule["Assign"] = self._assigned()
            rules.append(rule)
        state: State = {"Type": "Choice", "Choices": rules}
        return state | ({"Default": later[0]} if self._chance(0.9) else {})

    def _rule(self, depth: int) -> State:
        if depth and self._chance(0.3):
            kind = self._pick(["And", "Or", "Not"])
            return {kind: self._rule(0) if kind == "Not" else [self._rule(depth - 1), self._rule(0)]}
        variable = self._path()
        match self._pick(["IsPresent", "Is", "String", "Numeric", "Boolean", "Path"]):
            case "IsPresent":
                return {"Variable": self._pick([variable, "$.extra", "$.r", "$.f.g"]), "IsPresent": self._chance(0.5)}
            case "Is":
                kind = self._pick(["IsNull", "IsString", "IsNumeric", "IsBoolean"])
                return {"Variable": variable, kind: self._chance(0.5)}
            case "String":
                return {"Variable": variable, "StringEquals": self._pick(["text", "deep", "word", "worked"])}
            case "Boolean":
                return {"Variable": variable, "BooleanEquals": self._chance(0.5)}
            case "Path":
                return {"Variable": "$.a", "NumericEqualsPath": self._pick(NUMBERS)}
            case _:
                kind = self._pick(["NumericEquals", "NumericLessThan", "NumericGreaterThanEquals"])
                return {"Variable": variable, kind: self._random.randint(0, 6)}

    # ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flow_of_data(self, state: State, kind: str) -> None:
        if self._chance(0.1):
            state["InputPath"] = self._pick(["$.o", "$", "$.o" if kind == "Map" else None])
        if kind != "Wait":
            if kind in ("Map", "Parallel") or self._chance(0.5):
                dropped = [] if "Parameters" in state and kind == "Pass" else [None]
                state["ResultPath"] = self._pick(["$.r", "$.f.g", "$.l", "$.o", "$.a", *dropped])
            if kind != "Pass" and self._chance(0.2):
                paths = ("$", "$[0]", "$.b", "$.echo", "$.l")
                state["ResultSelector"] = {"first.$": self._pick(paths[:2] if kind in ("Map", "Parallel") else paths)}
        if self._chance(0.1) and "Parameters" not in state:  # what is not used is not evaluated
            state["OutputPath"] = self._pick(["$", "$.o", "$.r", None] if self._with_missing else ["$", "$.o"])
        if self._variables[-1] and self._chance(0.3):
            plain = kind not in ("Pass", "Wait") or not {"Parameters", "Result", "InputPath"} & state.keys()
            state["Assign"] = self._assigned() if plain else {self._pick(self._variables[-1]): self._pick(VALUES)}

    def _errors(self, state: State, later: list[str], fails: dict[str, State]) -> None:
        names = [self._pick(ERRORS)] if self._chance(0.5) else ["States.ALL"]
        if self._chance(0.3):
            retrier = {"ErrorEquals": names, "IntervalSeconds": 1, "MaxAttempts": self._random.randint(0, 2)}
            state["Retry"] = [retrier]
        if self._chance(0.5):
            catcher = {"ErrorEquals": self._pick([["States.ALL"], names]), "Next": self._target(later, fails)}
            if self._chance(0.6):
                catcher["ResultPath"] = self._pick(["$.r", "$.f.g", "$.error", None])
            state["Catch"] = [catcher]

    def _target(self, later: list[str], fails: dict[str, State]) -> str:
        if later and self._chance(0.75):
            return str(self._pick(later))
        name = self._name()
        error = {"Error": self._pick(ERRORS), "Cause": "why"} if self._chance(0.8) else {}
        fails[name] = {"Type": "Fail", **error} if self._chance(0.6) else {"Type": "Pass", "End": True}
        return name

    def _template(self) -> State:
        found: State = {f"{name}.$": f"$.{name}" for name in BASE if self._chance(0.85)}
        for key in ("p", "q"):
            if self._chance(0.3):
                found[f"{key}.$"] = self._pick([self._path(), self._function()])
            elif self._chance(0.2):
                found[key] = {"deep": [self._pick(VALUES), {"v.$": self._path()}]}
        return found

    def _function(self) -> str:
        return str(
            self._pick(
                [
                    f"States.MathAdd({self._pick(NUMBERS)}, 3)",
                    f"States.Array({self._path()}, 'x', 1)",
                    "States.ArrayLength($.l)",
                    "States.Format('a {} b', $.b)",
                    "States.JsonMerge($.o, $.o, false)",
                ]
            )
        )

    def _assigned(self) -> State:
        name = self._pick(self._variables[-1])
        drawn: State = self._pick([{f"{name}.$": self._pick(["$", self._variable()])}, {name: self._pick(VALUES)}])
        return drawn

    def _path(self) -> str:
        if any(self._variables) and self._chance(0.2):
            return self._variable()
        missing = ["$.r", "$.f.g", "$.extra", "$.l[7]"] if self._with_missing and self._chance(0.2) else []
        return str(self._pick(missing or _PATHS))

    def _variable(self) -> str:
        return f"${self._pick([name for names in self._variables for name in names])}"

    def _name(self) -> str:
        self._count += 1
        return f"S{self._count}"

    def _pick(self, choices: Any) -> Any:
        return self._random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
