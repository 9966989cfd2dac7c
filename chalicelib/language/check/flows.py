"""Read a flow statement as a `Flow`, and a flow_run statement as a `FlowRun`."""

from __future__ import annotations

import functools
from typing import Final

from chalicelib.language.check import names_read
from chalicelib.language.check.configs import read_configs
from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.arguments import Inputs
from chalicelib.language.check.readers.flow_input import read_flow_input
from chalicelib.language.check.readers.labels import read_labels
from chalicelib.language.check.readers.members import Properties, owner_of, property_named, read_parameters
from chalicelib.language.check.readers.options import read_flow_limit
from chalicelib.language.check.readers.values import read_duration, read_int, read_name, read_text, read_timespan
from chalicelib.language.check.readers.variables import read_variables
from chalicelib.language.check.secret_flow import refuse_members, warn_of_unseen
from chalicelib.language.check.steps.kinds import Steps
from chalicelib.language.check.steps.outputs import warn_of_null_outputs
from chalicelib.language.limits import MAX_DESCRIPTION_CHARACTERS, MAX_STEPS, MAX_STEPS_OF_RUN
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Group, Property, Statement, Value, Word, steps_within
from chalicelib.model.actions import ArgType
from chalicelib.model.flow import Flow, FlowRun

_RUN_WITH_STEPS: Final = ("vars", "output", "timeout", "max_steps", "labels", "description", "keep")
_FLOW: Final = ("input", "limit", *_RUN_WITH_STEPS)
_INPUT_TYPES: Final = (ArgType.ANY, ArgType.MAP, ArgType.LIST)
"""The types of the input of a flow that takes one value."""
_RUN_OF_FLOW: Final = ("flow", "input", "labels")


def read_flow(context: Context, statement: Statement) -> Flow:
    """Return the flow, including the inputs that follow from args that its steps do not set.

    If the flow takes one value (`input = any`), its steps must set all args.
    """
    properties = _properties(context, statement, _FLOW)
    input_type = _read_input_type(properties)
    inputs = None
    if input_type is None:
        declared = properties.read("input", read_parameters) if isinstance(properties.value("input"), Group) else ()
        inputs = Inputs(context, properties.owner, declared or ())
    flow = _flow(properties, statement, inputs, input_type)
    warn_of_unseen(context, statement, flow)
    return flow


def read_run(context: Context, statement: Statement) -> FlowRun:
    """Return the run, either of a named flow or with steps of its own; then the labels belong to these steps."""
    has_steps = any(not isinstance(member, Property) for member in statement.members)
    names_flow = property_named(statement.members, "flow") is not None
    if names_flow and not has_steps:
        return _run_of_flow(context, statement)
    properties = _properties(context, statement, _RUN_OF_FLOW + _RUN_WITH_STEPS)
    if names_flow and not statement.damaged:
        context.findings.report(
            Problem.CHOOSE_ONE, statement.name.span, owner=properties.owner, names="flow = NAME and its own steps"
        )
    elif "input" in properties:
        owner = f"{properties.owner}, which has its own steps"
        context.findings.report(Problem.UNKNOWN_PROPERTY, properties.span("input"), name="input", owner=owner)
    flow = _flow(properties, statement, None)
    warn_of_unseen(context, statement, flow)
    return FlowRun(name=statement.name.text, steps=flow)


def _read_input_type(properties: Properties) -> ArgType | None:
    """Return the type in `input = any;`, None if the flow declares its inputs by name."""
    value = properties.value("input")
    if value is None or isinstance(value, Group):
        return None
    if isinstance(value, Word) and value.key in _INPUT_TYPES:
        return ArgType(value.key)
    properties.context.wrong("input", value, "any, map, list or a group like (type name, ...)")
    return ArgType.ANY


def _run_of_flow(context: Context, statement: Statement) -> FlowRun:
    properties = _properties(context, statement, _RUN_OF_FLOW)
    name = properties.read("flow", read_name)
    given = read_flow_input(properties, name, properties.owner, statement.name.span, plain=True)
    labels = read_labels(properties, plain=True)
    return FlowRun(name=statement.name.text, flow=name, input=given, labels=labels)


def _properties(context: Context, statement: Statement, allowed: tuple[str, ...]) -> Properties:
    owner = owner_of(statement.kind.key, statement.name)
    return Properties(context, owner, statement.members, allowed, damaged=statement.damaged)


def _flow(
    properties: Properties, statement: Statement, inputs: Inputs | None, input_type: ArgType | None = None
) -> Flow:
    context = properties.context
    count = sum(1 for _ in steps_within(statement.members))
    if count > MAX_STEPS:
        context.findings.report(
            Problem.TOO_MANY, statement.name.span, count=count, what=f"steps in {properties.owner}", limit=MAX_STEPS
        )
        return Flow(name=statement.name.text, steps=())
    before = context.findings.errors
    steps = Steps(context, properties.owner, inputs, input_type)
    found = steps.read(statement.members, properties.owner, statement.name.span, damaged=statement.damaged)
    variables, secret = steps.uses.merge_vars(*read_variables(properties))
    refuse_members(context, statement, secret)
    flow = Flow(
        name=statement.name.text,
        steps=found,
        input=inputs.parameters() if inputs else (),
        input_type=input_type,
        vars=variables,
        secret_vars=secret,
        output=properties.template("output"),
        timeout=properties.read("timeout", read_timespan),
        max_steps=properties.read("max_steps", functools.partial(read_int, least=1, most=MAX_STEPS_OF_RUN)),
        labels=read_labels(properties, plain=False),
        description=properties.read("description", _read_description),
        keep=properties.read("keep", read_duration),
        limit=properties.read("limit", read_flow_limit),
        configs=tuple(sorted({*read_configs(context, statement), *steps.uses.configs()})),
    )
    names_read.check(context, statement, flow, has_errors=context.findings.errors > before)
    warn_of_null_outputs(context, statement, flow)
    return flow


def _read_description(context: Context, name: str, value: Value) -> str | None:
    text = read_text(context, name, value)
    if text is not None and len(text) > MAX_DESCRIPTION_CHARACTERS:
        range_ = f"at most {MAX_DESCRIPTION_CHARACTERS} characters long"
        found = f"{len(text)} characters long"
        context.findings.report(Problem.OUT_OF_RANGE, value.span, name=name, found=found, range=range_)
    return text
