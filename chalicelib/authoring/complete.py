"""What may stand at a place in a document, half written as it is: by its tokens, for a tree may not be there yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from chalicelib.authoring import keywords
from chalicelib.authoring.symbols import Library
from chalicelib.language.problems import Findings
from chalicelib.language.source import Source
from chalicelib.language.syntax.tokens import SyntaxToken, scan
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import BUILT_IN_STATES, ENDS

Kind: TypeAlias = Literal["keyword", "property", "action", "flow", "step", "state", "value", "variable"]

_WORD: Final = re.compile(r"[A-Za-z_]\w*\Z|\$\w*\Z")
_NAMES: Final = frozenset({"NAME", "STRING", "END", "WHEN"})


@dataclass(frozen=True, slots=True)
class Offer:
    """A word that may stand there."""

    label: str
    kind: Kind
    detail: str = ""


@dataclass
class _Frame:
    """A statement, a step's body, or a bracket, that is open at the place."""

    kind: str
    """A statement's or step's kind, `routes`, or `group` and the like for other brackets."""
    owner: str = ""
    """Of a group: the property whose value it is."""
    tail: list[SyntaxToken] = field(default_factory=list)
    """The tokens in it since its last `;`, `,` or `|`."""
    flow: str = ""
    """The name of the flow or action that `flow =` or `action =` named in it."""


def complete(text: str, offset: int, library: Library) -> list[Offer]:
    """What may stand at the offset. What is written of the word so far is for the editor to match."""
    written = _WORD.search(text[:offset])
    start = written.start() if written else offset
    before = scan(text[:start], Findings(Source("")))
    if before.cut:
        inside = text.rfind("${", 0, start) > max(text.rfind("}", 0, start), -1)
        return [Offer(f"${name}", "variable") for name in keywords.BOUND] if inside else []
    after = scan(text[offset:], Findings(Source(""))).tokens
    frames = _frames(before.tokens[:-1])
    return list(_offers(frames, after, _steps_near(text, offset), library))


def _frames(tokens: Iterable[SyntaxToken]) -> list[_Frame]:
    frames = [_Frame("document")]
    for token in tokens:
        top = frames[-1]
        match token.kind:
            case "LPAREN" | "LSQUARE" | "LCURLY":
                frames.append(_opened(token, top))
            case "RPAREN" | "RSQUARE" | "RCURLY":
                if len(frames) > 2:
                    frames.pop()
                    frames[-1].tail.append(token)
            case "SEMICOLON" | "COMMA" | "OR":
                _noted(top)
                top.tail.clear()
            case "END" if len(frames) == 2 and (not top.tail or top.tail[-1].kind == "SEMICOLON"):
                frames.pop()
            case "SLASH":
                del frames[1:]
                frames[0].tail.clear()
            case _:
                top.tail.append(token)
                if top.kind == "document" and len(top.tail) == 2 and token.kind in _NAMES:
                    frames.append(_Frame(str(top.tail[0].value).lower()))
                    top.tail.clear()
    _noted(frames[-1])
    return frames


def _opened(token: SyntaxToken, top: _Frame) -> _Frame:
    kinds = [one.kind for one in top.tail]
    first = str(top.tail[0].value).lower() if top.tail else ""
    if token.kind == "LPAREN" and kinds[-1:] == ["TO"]:
        return _Frame("routes", first)
    if token.kind == "LCURLY" and "ASSIGN" not in kinds and top.kind not in ("group", "list"):
        return _Frame(first)
    inherited = top.owner if top.kind in ("group", "list") else first
    return _Frame("group" if token.kind == "LPAREN" else "list", inherited)


def _noted(frame: _Frame) -> None:
    """Remembers which action or flow a body names."""
    kinds = [one.kind for one in frame.tail[:3]]
    if kinds[1:2] == ["ASSIGN"] and len(kinds) == 3 and str(frame.tail[0].value).lower() in ("action", "flow"):
        frame.flow = str(frame.tail[2].value)


def _offers(frames: list[_Frame], after: tuple[SyntaxToken, ...], steps: list[str], library: Library) -> Iterator[Offer]:
    top = frames[-1]
    last = top.tail[-1].kind if top.tail else ""
    if top.kind == "document":
        if not top.tail:
            yield from _keywords(keywords.STATEMENTS)
    elif top.kind == "routes":
        yield from _in_routes(top, last, after, steps, library)
    elif top.kind == "group":
        yield from _in_group(frames, last, after, library)
    elif top.kind != "list":
        yield from _in_body(top, last, library, is_last=len(frames) == 2)


def _in_routes(top: _Frame, last: str, after: tuple[SyntaxToken, ...], steps: list[str], library: Library) -> Iterator[Offer]:
    if last == "ARROW":
        yield from (Offer(name, "step") for name in steps)
        yield from (Offer(name, "keyword", "the run, branch or item ends") for name in sorted(ENDS))
    elif not last:
        action = library.actions.get(_named_ahead(after))
        states = (*action.returns, *sorted(BUILT_IN_STATES)) if action else _states_of(top.owner)
        yield from (Offer(state, "state") for state in states)
        yield from _keywords(keywords.ROUTES)
    elif last in _NAMES:
        yield Offer("when", "keyword", keywords.ROUTES["when"])


def _states_of(kind: str) -> tuple[str, ...]:
    return {
        "wait": ("DONE", "TIMEOUT", "ERROR"),
        "fork": ("DONE", "FAIL", "TIMEOUT", "ERROR"),
        "each": ("DONE", "FAIL", "TIMEOUT", "ERROR"),
        "call": ("DONE", "STOPPED", "TIMEOUT", "ERROR"),
        "set": ("DONE", "ERROR"),
    }.get(kind, ())


def _in_group(frames: list[_Frame], last: str, after: tuple[SyntaxToken, ...], library: Library) -> Iterator[Offer]:
    top, body = frames[-1], frames[-2]
    declares = (body.kind, top.owner) in (("action", "args"), ("flow", "input"))
    if declares and [str(token.value).lower() for token in top.tail] == ["secret"]:
        yield from _types()
    elif last == "ASSIGN":
        yield from _of_secrets(top, body, after, library)
    elif last in _NAMES:
        return
    elif top.owner in keywords.SETTINGS:
        yield from (Offer(name, "property") for name in keywords.SETTINGS[top.owner])
    elif declares:
        yield from _types()
        yield Offer("secret", "keyword", keywords.SECRET["declared"])
    elif top.owner == "vars":
        yield Offer("secret", "keyword", keywords.SECRET["declared"])
    elif top.owner in ("args", "input"):
        parameters = _parameters(top, body, after, library)
        yield from (Offer(one.name, "variable", _kind_of(one)) for one in parameters)


def _types() -> Iterator[Offer]:
    return (Offer(name, "keyword", "a type") for name in keywords.TYPES)


def _kind_of(parameter: Parameter) -> str:
    return f"{'secret ' * parameter.secret}{parameter.type.value}"


def _parameters(top: _Frame, body: _Frame, after: tuple[SyntaxToken, ...], library: Library) -> tuple[Parameter, ...]:
    """Those of the action or flow that the body of the group names."""
    name = body.flow or _named_ahead(after)
    action, flow = library.actions.get(name), library.flows.get(name)
    return action.parameters if action and top.owner == "args" else flow.input if flow else ()


def _of_secrets(top: _Frame, body: _Frame, after: tuple[SyntaxToken, ...], library: Library) -> Iterator[Offer]:
    """`secret` behind `=`, where a reference to one may stand."""
    name = str(top.tail[-2].value) if len(top.tail) > 1 else ""
    given = top.owner == "args" and any(
        one.secret and one.name == name for one in _parameters(top, body, after, library)
    )
    declared = body.kind == "action" and top.owner == "args" and str(top.tail[0].value).lower() == "secret"
    if top.owner == "headers" or given or declared:
        yield Offer("secret", "keyword", keywords.SECRET["read"])


def _in_body(top: _Frame, last: str, library: Library, *, is_last: bool) -> Iterator[Offer]:
    key = str(top.tail[0].value).lower() if top.tail else ""
    if last == "ASSIGN":
        if key in ("action", "undo"):
            yield from (Offer(name, "action", " | ".join(one.returns)) for name, one in library.actions.items())
        elif key == "flow":
            yield from (Offer(name, "flow") for name in library.flows)
        yield from (Offer(name, "value") for name in keywords.VALUES.get(key, ()))
    elif not top.tail:
        yield from (Offer(name, "property", line) for name, line in keywords.properties_of(top.kind).items())
        if top.kind in ("flow", "flow_run", "branch", "each"):
            yield from _keywords(keywords.STEPS)
        elif top.kind == "fork":
            yield from _keywords(keywords.BRANCH)
        if is_last and top.kind in keywords.STATEMENTS:
            yield Offer(f"{top.kind}_end", "keyword")


def _keywords(lines: Mapping[str, str]) -> Iterator[Offer]:
    return (Offer(name, "keyword", line) for name, line in lines.items())


def _named_ahead(after: tuple[SyntaxToken, ...]) -> str:
    """The action that the step under way names further on."""
    for n, token in enumerate(after[:-2]):
        if token.kind in ("TO", "SLASH"):
            break
        if token.kind == "NAME" and str(token.value).lower() in ("action", "flow") and after[n + 1].kind == "ASSIGN":
            return str(after[n + 2].value)
    return ""


def _steps_near(text: str, offset: int) -> list[str]:
    """The names before each `=>` of the statement around the offset."""
    tokens = scan(text, Findings(Source(""))).tokens
    found: list[str] = []
    for n, token in enumerate(tokens):
        if token.kind == "END" and tokens[n + 1].kind in ("SLASH", "EOF"):
            if token.span.end > offset:
                break
            found.clear()
        elif token.kind in _NAMES and tokens[n + 1].kind == "TO":
            found.append(str(token.value))
    return list(dict.fromkeys(found))
