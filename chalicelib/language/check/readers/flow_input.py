"""Read the input that a call or a run gives to a flow."""

from __future__ import annotations

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import given_args, lacking, report_missing
from chalicelib.language.check.readers.members import Properties, read_assignments
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Expression, Value
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import Flow
from chalicelib.model.templates import Template


def read_flow_input(
    properties: Properties, name: str | None, who: str, at: Span, *, plain: bool = False
) -> dict[str, Template]:
    """Read the `input` for the flow named by `flow`, checked against what this flow declares.

    If the flow takes one value, the input is a group, which makes a map, or an expression. With `plain`, there are no
    expressions.
    """
    context = properties.context
    flow = _flow(properties, name, at)
    if flow and flow.input_type is not None:
        return _one_value(properties, flow, who, at, plain=plain)
    entries = properties.read("input", read_assignments)
    owner = f"flow '{name}'"
    parameters = flow.input if flow else None
    given = given_args(context, entries or {}, parameters, owner, what="input", plain=plain)
    if flow and not properties.damaged and (entries is not None or "input" not in properties):
        where = properties.span("input") if "input" in properties else at
        report_missing(context, lacking(flow.input, given), where, step=who, owner=owner, what="input")
    return given


def _flow(properties: Properties, name: str | None, at: Span) -> Flow | None:
    context = properties.context
    flow = None if name is None else context.flow(name)
    if name is not None and flow is None and name not in context.broken["flow"]:
        value = properties.value("flow")
        near = Suggestion(name, context.names())
        context.findings.report(Problem.UNKNOWN_FLOW, value.span if value else at, near=near, name=name)
    return flow


def _one_value(properties: Properties, flow: Flow, who: str, at: Span, *, plain: bool) -> dict[str, Template]:
    context = properties.context

    def read(_: Context, name: str, value: Value) -> dict[str, Template] | None:
        if isinstance(value, Expression) and not plain:
            found: dict[str, Template] = context.expression(value)
            return found
        if flow.input_type is ArgType.LIST:
            needed = f"an expression that yields a list: flow '{flow.name}' takes a list"
            context.wrong(name, value, "left out: a flow_run cannot give a flow a list" if plain else needed)
            return None
        entries = read_assignments(context, name, value)
        return given_args(context, entries or {}, None, f"flow '{flow.name}'", what="input", plain=plain)

    if "input" not in properties and flow.input_type is not ArgType.ANY and not properties.damaged:
        context.findings.report(Problem.MISSING_PROPERTY, at, owner=who, name="input")
    return properties.read("input", read) or {}
