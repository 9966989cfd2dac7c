"""How machines in JSONata are drawn: as those in JSONPath are, with other fields."""

from __future__ import annotations

from typing import Any, Final

from tests.conformance.asl.drawing import BASE, ERRORS, FUNCTION, NUMBERS, VALUES, Drawing, State

_SOURCES: Final = (
    "$states.input.a + 1",
    "$states.input.b & '!'",
    "$sum($states.input.l)",
    "$count($states.input.l)",
    "$states.input.l[$ > 1]",
    "$map($states.input.l, function($x) { $x * 2 })",
    "$merge([$states.input.o, {'x': 9}])",
    "$exists($states.input.extra) ? 'there' : 'none'",
    "($k := $states.input.a; $k * $k)",
    "{'k': $states.input.b, 'l': [$states.input.a]}",
    "$states.input.a > 1 ? $states.input.o : null",
    "$states.context.State.Name",
    "$uppercase($states.input.b) & $string($states.input.o)",
)


class JsonataDrawing(Drawing):
    """Draws one machine in JSONata."""

    def machine(self) -> tuple[State, Any]:
        machine, given = super().machine()
        return {"QueryLanguage": "JSONata", **machine}, given

    def _pass(self, state: State, _depth: int) -> None:
        if self._chance(0.7):
            state["Output"] = self._document()

    def _wait(self, state: State, _depth: int) -> None:
        state["Seconds"] = self._pick([2, "{% $states.input.a %}", "{% $states.input.o.x %}"])

    def _task(self, state: State, _depth: int) -> None:
        state["Resource"] = FUNCTION
        if self._chance(0.4):
            state["Arguments"] = {"fail": self._pick(ERRORS), "at": self._expression()}
        elif self._chance(0.6):
            state["Arguments"] = self._document()

    def _map(self, state: State, depth: int) -> None:
        state["Items"] = self._pick(["{% $states.input.l %}", "{% [1..$states.input.a] %}", [1, self._expression()]])
        if self._chance(0.6):
            where = "$states.context.Map.Item."
            own = {"item": f"{{% {where}Value %}}", "index": f"{{% {where}Index %}}"}
            state["ItemSelector"] = {**self._document(), **own}
        state["ItemProcessor"] = self._inner(depth)

    def _parallel(self, state: State, depth: int) -> None:
        if self._chance(0.4):
            state["Arguments"] = self._document()
        state["Branches"] = [self._inner(depth) for _ in range(self._random.randint(1, 2))]

    def _choice(self, later: list[str], fails: dict[str, State]) -> State:
        rules = []
        for _ in range(self._random.randint(1, 3)):
            rule: State = {"Condition": self._condition(), "Next": self._target(later, fails)}
            self._handed_on(rule, 0.2)
            rules.append(rule)
        state: State = {"Type": "Choice", "Choices": rules}
        if self._chance(0.9):
            state["Default"] = later[0]
            self._handed_on(state, 0.1)
        return state

    def _condition(self) -> Any:
        number = f"$states.input{self._pick(NUMBERS)[1:]}"
        return self._pick(
            [
                f"{{% {number} > {self._random.randint(0, 6)} %}}",
                f"{{% {number} = $states.input.a and $states.input.t %}}",
                "{% $exists($states.input.extra) %}",
                "{% $states.input.b in ['text', 'worked'] %}",
                "{% $not($states.input.t) %}",
            ]
        )

    def _flow_of_data(self, state: State, kind: str) -> None:
        if kind in ("Task", "Map", "Parallel") and self._chance(0.7):
            state["Output"] = {**self._document(), "r": "{% $states.result %}"}
        if kind == "Wait" and self._chance(0.3):
            state["Output"] = self._document()
        if self._variables[-1] and self._chance(0.3):
            state["Assign"] = self._assigned()

    def _errors(self, state: State, later: list[str], fails: dict[str, State]) -> None:
        super()._errors(state, later, fails)
        for catcher in state.get("Catch", ()):
            catcher.pop("ResultPath", None)
            if self._chance(0.7):
                catcher["Output"] = {**self._document(), "e": "{% $states.errorOutput %}"}
            if self._variables[-1] and self._chance(0.3):
                catcher["Assign"] = self._assigned()

    def _handed_on(self, rule: State, share: float) -> None:
        if self._chance(share):
            rule["Output"] = self._document()
        if self._variables[-1] and self._chance(share):
            rule["Assign"] = self._assigned()

    def _document(self) -> State:
        found: State = {
            name: f"{{% $states.input.{name} %}}" if self._chance(0.6) else value
            for name, value in BASE.items()
            if self._chance(0.9)
        }
        return found | ({"p": self._expression()} if self._chance(0.5) else {})

    def _assigned(self) -> State:
        value = self._expression() if self._chance(0.6) else self._pick(VALUES)
        return {self._pick(self._variables[-1]): value}

    def _expression(self) -> str:
        names = [name for names in self._variables for name in names]
        return f"{{% ${self._pick(names)} %}}" if names and self._chance(0.3) else f"{{% {self._pick(_SOURCES)} %}}"
