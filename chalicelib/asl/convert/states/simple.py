"""Pass, Wait, Choice, Succeed and Fail as steps."""

from __future__ import annotations

from typing import Any

from chalicelib.asl.convert.flow.steps import Property, Sent, Step
from chalicelib.asl.convert.jsonata.choices import Judge
from chalicelib.asl.convert.jsonata.documents import Document, as_expression
from chalicelib.asl.convert.jsonata.expressions import Expr, Literal, bare
from chalicelib.asl.convert.jsonata.jsonata_values import is_expression, is_truth
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.drafts import Draft, Exit, next_of
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.model.flow import DEFAULT_STATE
from chalicelib.model.times import instant


def read_pass(reader: Reader) -> Draft:
    """Return a Pass as a `set`."""
    state = reader.state
    if reader.is_jsonata:
        way_out = reader.passed((DEFAULT_STATE,))
    else:
        result: Document = reader.input.document
        if "Result" in state:
            result = Literal(state["Result"])
        elif "Parameters" in state:
            result = reader.input.field(state, "Parameters")
        whole = reader.values.laid(state, "ResultPath", result)
        made = reader.values.over(whole).narrowed(state, "OutputPath")
        over = reader.values.over(result)
        way_out = Exit(next_of(state), made, (DEFAULT_STATE,), assigns=over.assigns(state))
    return Draft(Step("set", reader.name), [way_out])


def read_wait(reader: Reader) -> Draft:
    """Return a Wait as a `wait`."""
    step = Step("wait", reader.name)
    waited = reader.duration("Seconds")
    if waited is not None:
        step.properties["for"] = waited
    else:
        step.properties["until"] = _moment(reader)
    return Draft(step, [reader.passed((DEFAULT_STATE,))])


def _moment(reader: Reader) -> Property:
    value = reader.state.get("Timestamp")
    if value is not None and not (reader.is_jsonata and is_expression(value)):
        if not isinstance(value, str) or instant(value) is None:
            raise Unsayable(f"`{str(value)[:60]}` is no RFC 3339 time", "Timestamp")
        return Sent(Literal(value))
    found = reader.text("Timestamp")
    if found is None:
        raise Unsayable("a Wait needs Seconds, Timestamp, or one of their paths")
    return Sent(bare(as_expression(found)))


def read_choice(reader: Reader) -> Draft:
    """Return a Choice as a `deci`."""
    state = reader.state
    exits: list[Exit] = []
    judge = Judge(reader.input.path)
    rules = state.get("Choices")
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        try:
            when = _condition(reader, judge, rule)
            exits.append(_chosen(reader, rule, when))
        except Unsayable as problem:
            raise problem.at("Choices", number) from None
    if isinstance(state.get("Default"), str):
        found = reader.passed(())
        found.target, found.otherwise = state["Default"], True
        exits.append(found)
    if not exits:
        raise Unsayable("a Choice needs Choices")
    return Draft(Step("deci", reader.name), exits)


def _condition(reader: Reader, judge: Judge, rule: Any) -> Expr:
    if not isinstance(rule, dict):
        raise Unsayable("a rule of Choice must be an object")
    if not reader.is_jsonata:
        return judge.condition(rule)
    condition = rule.get("Condition")
    if isinstance(condition, bool):
        return Literal(condition)
    if not isinstance(condition, str) or not is_expression(condition):
        raise Unsayable("a rule of Choice needs a Condition `{% ... %}`", "Condition")
    found = as_expression(reader.values.field(rule, "Condition"))
    return bare(found) if is_truth(condition) else found


def _chosen(reader: Reader, rule: dict[str, Any], when: Expr) -> Exit:
    target = rule.get("Next")
    if not isinstance(target, str):
        raise Unsayable("a rule of Choice needs Next", "Next")
    if reader.is_jsonata:
        made = reader.values.field(rule, "Output") if "Output" in rule else reader.document
    else:
        made = reader.input.narrowed(reader.state, "OutputPath")
    return Exit(target, made, (), when, assigns=reader.input.assigns(rule))


def succeeded_document(reader: Reader) -> Document:
    """Return the output that a Succeed makes of the document."""
    return reader.passed(()).document


def read_succeed(reader: Reader) -> Draft:
    """Return a Succeed as a `set`: where it is no end of a route."""
    return Draft(Step("set", reader.name), [reader.passed((DEFAULT_STATE,))])


def failed_with(reader: Reader) -> dict[str, Document]:
    """Return what a Fail says: its `error` and its `cause`."""
    found = {"error": reader.text("Error"), "cause": reader.text("Cause")}
    return {name: value for name, value in found.items() if value is not None}


def read_fail(reader: Reader) -> Draft:
    """Return a Fail as a `deci` that leads to its end: where it is no end of a route."""
    way_out = Exit(None, reader.document, otherwise=True, given=failed_with(reader), is_success=False)
    return Draft(Step("deci", reader.name), [way_out])


def has_fixed_words(state: Any) -> bool:
    """Return whether a Fail says the same however it is reached."""
    texts = [state.get("Error"), state.get("Cause")]
    is_computed = any(is_expression(text) for text in texts) or "ErrorPath" in state or "CausePath" in state
    return not is_computed


__all__ = [
    "failed_with",
    "has_fixed_words",
    "read_choice",
    "read_fail",
    "read_pass",
    "read_succeed",
    "read_wait",
    "succeeded_document",
]
