"""Everything the engine needs to know about one run's flow and its actions."""

from __future__ import annotations

from chalicelib.model.actions import DEFAULTS, Action, Options
from chalicelib.model.flow import ActionStep, Flow, Step, walk
from chalicelib.model.json_values import FrozenValue


class Definition(FrozenValue, frozen=True, kw_only=True):
    """All that the engine needs to know of one run: the flow, and the actions it names, each in one fixed version."""

    flow: Flow
    actions: dict[str, Action]
    defaults: Options = DEFAULTS
    """What holds where neither the step nor its action says anything."""

    def step(self, name: str) -> Step | None:
        """The step of that name, at whatever depth."""
        return next((step for step in walk(self.flow.steps) if step.name == name), None)

    @property
    def has_secrets(self) -> bool:
        """Whether anything that a run of it keeps may be sealed."""
        declared = (*self.flow.input, *(one for action in self.actions.values() for one in action.parameters))
        return (
            bool(self.flow.secret_vars)
            or any(one.secret for one in declared)
            or any(action.secret_data for action in self.actions.values())
        )

    def options(self, step: ActionStep) -> Options:
        """The step's options over its action's over the defaults."""
        return step.options.over(self.actions[step.action].options).over(self.defaults)
