"""Write steps as FSL. The layout is that of `fsl fmt`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from chalicelib.asl.convert.flow.steps import Action, Block, Entry, Kept, Plain, Property, Route, Rule, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, Template, as_expression, as_template
from chalicelib.asl.convert.jsonata.expressions import (
    Array,
    At,
    Expr,
    Func,
    Get,
    Literal,
    Object,
    Op,
    Text,
    Var,
    Word,
    bare,
    need,
    source,
)
from chalicelib.language.format import spelling
from chalicelib.language.limits import INTEGER_RANGE, MAX_NAME_CHARACTERS
from chalicelib.model.json_values import Json
from chalicelib.model.templates import RESERVED_KEYS
from chalicelib.model.visible_text import is_safe, visible

_EXPRESSIONS: Final = (Word, Var, Literal, Get, At, Op, Func, Array, Object, Text)
_USUAL: Final = {"delay": "1s", "rate": "2.0"}
"""What a rule of `repeat` means where it says nothing."""
_MAX_LITERAL_DEPTH: Final = 12
_BLANKS: Final = re.compile(r"\s*\n\s*")
_UNWRITABLE: Final = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def written_expression(expr: Expr) -> str:
    """Return `${ ... }`."""
    text = source(expr)
    joined = _BLANKS.sub(" ", text)
    short = joined if len(joined) <= 90 and "/*" not in text and '"' not in text else text
    return "${ " + short.strip() + " }"


def written_value(document: Document, *, sent: bool) -> str:
    """Return a value. `sent`: what yields nothing in it is an error anyway."""
    return _template(as_template(document), 0, sent=sent)


def _template(value: Template, depth: int, *, sent: bool) -> str:
    if isinstance(value, Literal):
        return _template(value.value, depth, sent=sent)
    if isinstance(value, _EXPRESSIONS):
        return written_expression(bare(value) if sent else value)
    if isinstance(value, (dict, list)) and value:
        return _collection(value, depth, sent=sent)
    return _scalar(value)


def _collection(value: dict[str, Template] | list[Template], depth: int, *, sent: bool) -> str:
    if depth >= _MAX_LITERAL_DEPTH or (isinstance(value, dict) and not all(map(_is_key, value))):
        return written_expression(_as_expression(value))
    if isinstance(value, list):
        return "[" + ", ".join(_template(one, depth + 1, sent=sent) for one in value) + "]"
    inner = [f"{spelling.string(name)}: {_template(one, depth + 1, sent=sent)}" for name, one in value.items()]
    return "{ " + ", ".join(inner) + " }"


def _scalar(value: Json) -> str:
    match value:
        case str():
            return _text(value)
        case int() if not isinstance(value, bool) and value not in INTEGER_RANGE:
            return written_expression(Literal(value))
        case float():
            return _float(value)
        case _:
            return json.dumps(value)


def _is_key(name: str) -> bool:
    return (
        not _UNWRITABLE.search(name)
        and not ('"' in name and "`" in name)
        and name not in RESERVED_KEYS
        and "\n" not in name
    )


def _float(value: float) -> str:
    text = repr(value)
    return text if re.fullmatch(r"-?\d+\.\d+", text) else written_expression(Literal(value))


def _text(text: str) -> str:
    if _UNWRITABLE.search(text) or ('"' in text and "`" in text):
        return written_expression(Literal(text))
    return spelling.string(text)


def _as_expression(value: Template) -> Expr:
    if isinstance(value, _EXPRESSIONS):
        return value
    if isinstance(value, dict):
        return Object(tuple((name, _as_expression(one)) for name, one in value.items()))
    if isinstance(value, list):
        return Func("$list", tuple(_as_expression(one) for one in value))
    return Literal(value)


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


def written_action(action: Action) -> str:
    """Return the statement of an action."""
    properties = dict(action.properties)
    lines = [f"action {spelling.name(action.name)}"]
    for name, value in properties.items():
        quoted = _text(value) if name == "addr" else value
        lines.append(f"{name} = {quoted};")
    if action.retry is not None:
        lines.append(f"retry = {_settings(action.retry)};")
    lines.append("action_end")
    return "\n".join([*_comments(action.comments), *lines])


def written_flow(name: str, block: Block, timeout: Property | None, comments: Iterable[str]) -> str:
    """Return the statement of the flow."""
    lines = [*_comments(comments), f"flow {spelling.name(name)}", "input = any;"]
    if block.variables:
        lines.append(f"vars = {_entries(block.variables)};")
    if timeout is not None:
        lines.append(f"timeout = {_property(timeout)};")
    for step in block.steps:
        lines += _step(step)
    return "\n".join([*lines, "flow_end"])


def block_size(block: Block) -> int:
    """Return about how many lines the steps of a block take, without those within its own blocks."""
    text = [line for step in block.steps for line in (*_step(replace(step, blocks=[])), "")]
    return sum(1 + len(line) // 90 for line in text) + (1 if block.variables else 0)


def _comments(comments: Iterable[str]) -> list[str]:
    return [f"# {visible(line)}" for line in comments]


def _step(step: Step) -> list[str]:
    head = f"{step.kind} {spelling.name(step.name)} => ({' | '.join(map(_route, step.routes))})"
    body = _body(step)
    lines = _comments(step.comments)
    if not body:
        return [*lines, f"{head};"]
    return [*lines, f"{head} {{", *body, "};"]


def _body(step: Step) -> list[str]:
    lines: list[str] = []
    if step.action is not None:
        lines.append(f"action = {spelling.name(step.action.name)};")
    for name, value in step.properties.items():
        lines.append(f"{name} = {_property(value) if name != 'input' else _input(value)};")
    if step.retry is not None and step.action is not None and step.action.retry is None:
        lines.append(f"retry = {_settings(step.retry)};")
    if step.repeat:
        lines.append(f"repeat = {_repeat(step.repeat)};")
    is_each = step.kind == "each"
    block = step.blocks[0] if is_each and step.blocks else None
    if step.variables or (block is not None and block.variables):
        lines.append(f"vars = {_entries(step.variables or (block.variables if block else ()))};")
    if step.save:
        lines.append(f"save = {_entries(step.save)};")
    for one in step.blocks:
        lines += _block(one, is_branch=not is_each)
    return lines


def _block(block: Block, *, is_branch: bool) -> list[str]:
    inner = [line for step in block.steps for line in _step(step)]
    if not is_branch:
        return inner
    variables = [f"vars = {_entries(block.variables)};"] if block.variables else []
    return [f"branch {spelling.name(block.name)} {{", *variables, *inner, "};"]


def _property(value: Property) -> str:
    match value:
        case Plain(text=text):
            return text
        case Kept(document=document):
            return written_value(document, sent=False)
        case Sent(document=document, group=group):
            return _group(document) if group else written_value(document, sent=True)


def _input(value: Property) -> str:
    """Return the input of a flow: a group or an expression."""
    written = _property(value)
    return written if written.startswith(("(", "$")) or isinstance(value, Plain) else _input_expression(value)


def _input_expression(value: Sent | Kept) -> str:
    template = as_template(value.document)
    return "()" if template == {} else written_expression(bare(_as_expression(template)))


def _group(document: Document) -> str:
    """Return the args: a group where all names of the value can be those of args."""
    value = as_template(document)
    if not isinstance(value, dict) or not value or not all(map(_is_arg, value)):
        return _template(value, 0, sent=True)
    return f"({', '.join(f'{spelling.name(name)} = {_template(one, 1, sent=True)}' for name, one in value.items())})"


def _is_arg(name: str) -> bool:
    return _is_key(name) and bool(name.strip()) and len(name) <= MAX_NAME_CHARACTERS and is_safe(name)


def _entries(entries: Iterable[Entry]) -> str:
    return f"({', '.join(map(_entry, entries))})"


def _entry(entry: Entry) -> str:
    path = ".".join(spelling.name(name) for name in (entry.variable.name, *entry.members))
    return f"{path} = {written_value(entry.value, sent=False)}"


def _route(route: Route) -> str:
    words = [", ".join(map(spelling.name, route.states))] if route.states else []
    if route.otherwise:
        words = ["else"]
    if route.when is not None:
        words.append(f"when {written_expression(route.when)}")
    words += ["->", route.target if route.is_end else spelling.name(route.target)]
    if route.given:
        words.append(f"({', '.join(f'{name} = {_given(name, value)}' for name, value in route.given.items())})")
    elif route.entries:
        words.append(_entries(route.entries))
    return " ".join(words)


def _given(name: str, value: Document) -> str:
    if name == "output":
        return written_value(value, sent=False)
    if isinstance(value, Literal) and isinstance(value.value, str):
        return _text(value.value)
    expr = as_expression(value)
    return written_expression(need(expr) if isinstance(expr, (Get, At)) else expr)


def _repeat(rules: list[Rule]) -> str:
    if len(rules) == 1 and rules[0].states == ("ERROR",) and rules[0].when is None:
        return _settings(rules[0].settings)
    return f"({' | '.join(map(_rule, rules))})"


def _rule(rule: Rule) -> str:
    when = "" if rule.when is None else f" when {written_expression(rule.when)}"
    # A rule with a condition is long: it says only what is not usual.
    settings = {name: value for name, value in rule.settings.items() if not when or _USUAL.get(name) != value}
    return f"{', '.join(rule.states)}{when} -> {_settings(settings)}"


def _settings(settings: Mapping[str, str]) -> str:
    return f"({', '.join(f'{name} = {value}' for name, value in settings.items())})"
