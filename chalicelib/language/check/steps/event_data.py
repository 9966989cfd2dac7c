"""Check the data of emit steps against the declarations of events, as far as the text says what it will be."""

from __future__ import annotations

from chalicelib.language.check.context import accepts
from chalicelib.language.check.descriptions import described
from chalicelib.language.check.readers.arguments import lacking, report_missing
from chalicelib.language.check.readers.members import Properties
from chalicelib.language.problems import Problem, Suggestion
from chalicelib.language.source import Span
from chalicelib.language.syntax.tree import Expression, MapValue, Value, Word
from chalicelib.model.actions import Parameter
from chalicelib.model.templates import Template


def check_data(properties: Properties, template: Template, at: Span) -> None:
    """Report where the data of an emit step does not fit the event that it names. `at` is the name of the step."""
    event, data = properties.value("event"), properties.value("data")
    known = properties.context.event(event.text) if isinstance(event, Word) else None
    if known is None or known.parameters is None or isinstance(data, Expression) or properties.damaged:
        return
    owner = f"event '{known.name}'"
    parameters = known.parameters
    if data is None or (isinstance(data, MapValue) and isinstance(template, dict)):
        entries = data.entries if isinstance(data, MapValue) else ()
        for key, value in entries:
            _check(properties, owner, parameters, key, value, (template or {}).get(key.text))
        missing = lacking(parameters, (key.text for key, _ in entries))
        where = properties.span("data") if data is not None else at
        report_missing(properties.context, missing, where, step=properties.owner, owner=owner)
    elif not isinstance(data, MapValue):
        needed = f"a map with the args of {owner}, or an expression"
        properties.context.wrong("data", data, needed)


def _check(
    properties: Properties,
    owner: str,
    parameters: tuple[Parameter, ...],
    key: Word,
    value: Value,
    template: Template,
) -> None:
    findings = properties.context.findings
    parameter = next((one for one in parameters if one.name == key.text), None)
    if parameter is None:
        near = Suggestion(key.text, tuple(one.name for one in parameters))
        findings.report(Problem.UNKNOWN_ARG, key.span, near=near, owner=owner, what="arg", name=key.text)
    elif not accepts(parameter, template):
        findings.report(
            Problem.WRONG_TYPE, value.span, name=key.text, type=parameter.type.value, found=described(value)
        )
