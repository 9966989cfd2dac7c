"""Complete a word in a document. Works on tokens, since an unfinished document may have no syntax tree yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from chalicelib.authoring import keywords, members
from chalicelib.authoring.symbols import Workspace
from chalicelib.language.problems import Findings
from chalicelib.language.source import Source
from chalicelib.language.statements import BLOCK_WORDS
from chalicelib.language.syntax.tokens import SyntaxToken, scan
from chalicelib.model.actions import Parameter
from chalicelib.model.flow import BUILT_IN_STATES, DEFAULT_STATE, ENDS

Kind: TypeAlias = Literal["keyword", "property", "action", "flow", "step", "state", "value", "variable"]

_WORD: Final = re.compile(r"[A-Za-z_]\w*\Z|\$\w*\Z")
_PATH: Final = re.compile(r"\$(\w+)\s*\.\s*\Z")
_NAMES: Final = frozenset({"NAME", "STRING", "END", "WHEN"})


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that fits at the position."""

    label: str
    kind: Kind
    detail: str = ""


@dataclass
class _Frame:
    """A statement, the body of a step, or a bracket that is open at the position."""

    kind: str
    """The kind of the statement or step; `routes`, `group` or `list` for brackets."""
    owner: str = ""
    """For a group or list: the property that it is the value of."""
    tail: list[SyntaxToken] = field(default_factory=list)
    """The tokens since the last `;`, `,` or `|`."""
    flow: str = ""
    """The name of the flow or action that `flow =` or `action =` sets in it."""
    name: str = ""
    """The name of the statement."""


def complete(text: str, offset: int, workspace: Workspace) -> list[Completion]:
    """Return the words that fit at the offset. The editor filters them by the part of the word already written."""
    written = _WORD.search(text[:offset])
    start = written.start() if written else offset
    before = scan(text[:start], Findings(Source("")))
    if before.cut:
        inside = text.rfind("${", 0, start) > max(text.rfind("}", 0, start), -1)
        return list(_in_expression(text, start, offset, workspace)) if inside else []
    after = scan(text[offset:], Findings(Source(""))).tokens
    frames = _frames(before.tokens[:-1])
    return list(_completions(frames, after, _steps_near(text, offset), workspace))


def _in_expression(text: str, start: int, offset: int, workspace: Workspace) -> Iterator[Completion]:
    """Yield the names of an expression; after the dot of `$name.`, its members."""
    path = _PATH.search(text[:start])
    if path is None:
        yield from (Completion(f"${name}", "variable") for name in keywords.BOUND_NAMES)
        return
    yield from (
        Completion(name, "variable", detail) for name, detail in members.members_of(path[1], text, offset, workspace)
    )


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
            case "OR" if _is_undo(top):
                top.tail.append(token)
            case "SEMICOLON" | "COMMA" | "OR":
                _record_name(top)
                top.tail.clear()
            case "END" if len(frames) == 2 and (not top.tail or top.tail[-1].kind == "SEMICOLON"):
                frames.pop()
            case "SLASH":
                del frames[1:]
                frames[0].tail.clear()
            case _:
                _add(token, frames)
    _record_name(frames[-1])
    return frames


def _add(token: SyntaxToken, frames: list[_Frame]) -> None:
    """Add a token to the innermost frame; the name of a statement opens the frame of the statement."""
    top = frames[-1]
    top.tail.append(token)
    if top.kind == "document" and len(top.tail) == 2 and token.kind in _NAMES:
        frames.append(_Frame(str(top.tail[0].value).lower(), name=str(token.value)))
        top.tail.clear()
    elif len(frames) == 2 and top.tail[0].kind == "DOT" and token.kind in _NAMES:
        top.tail.clear()  # the name of an event goes on


def _opened(token: SyntaxToken, top: _Frame) -> _Frame:
    kinds = [one.kind for one in top.tail]
    first = str(top.tail[0].value).lower() if top.tail else ""
    if token.kind == "LPAREN" and kinds[-1:] == ["TO"]:
        return _Frame("routes", first)
    if token.kind == "LCURLY" and "ASSIGN" not in kinds and top.kind not in ("group", "list"):
        return _Frame(first)
    if top.kind == "routes" and token.kind == "LPAREN" and top.tail:
        return _Frame("entries", str(top.tail[-1].value).lower())
    inherited = top.owner if top.kind in ("group", "list") else first
    return _Frame("group" if token.kind == "LPAREN" else "list", inherited)


def _record_name(frame: _Frame) -> None:
    """Record the action or flow that a body names."""
    kinds = [one.kind for one in frame.tail[:3]]
    if kinds[1:2] == ["ASSIGN"] and len(kinds) == 3 and str(frame.tail[0].value).lower() in ("action", "flow"):
        frame.flow = str(frame.tail[2].value)


def _completions(
    frames: list[_Frame], after: tuple[SyntaxToken, ...], steps: list[str], workspace: Workspace
) -> Iterator[Completion]:
    top = frames[-1]
    last = top.tail[-1].kind if top.tail else ""
    if top.kind == "document":
        if not top.tail:
            yield from _keywords(keywords.STATEMENTS)
    elif top.kind == "routes":
        yield from _in_routes(top, last, after, steps, workspace)
    elif top.kind == "group":
        yield from _in_group(frames, last, after, workspace)
    elif top.kind == "entries":
        yield from _keywords(keywords.ENTRIES.get(top.owner, {}) if not last else {})
    elif top.kind != "list":
        yield from _in_body(top, last, after, workspace, is_last=len(frames) == 2)


def _in_routes(
    top: _Frame, last: str, after: tuple[SyntaxToken, ...], steps: list[str], workspace: Workspace
) -> Iterator[Completion]:
    if last == "ARROW":
        yield from (Completion(name, "step") for name in steps)
        yield from (Completion(name, "keyword", "the run, branch or item ends") for name in sorted(ENDS))
    elif not last:
        action = workspace.actions.get(_named_ahead(after))
        states = (*action.returns, *sorted(BUILT_IN_STATES)) if action else _states_of(top.owner)
        yield from (Completion(state, "state") for state in states)
        yield from _keywords(keywords.ROUTES)
    elif last in _NAMES:
        yield Completion("when", "keyword", keywords.ROUTES["when"])


def _states_of(kind: str) -> tuple[str, ...]:
    return {
        "wait": ("DONE", "TIMEOUT", "ERROR"),
        "fork": ("DONE", "FAIL", "TIMEOUT", "ERROR"),
        "each": ("DONE", "FAIL", "TIMEOUT", "ERROR"),
        "call": ("DONE", "STOPPED", "TIMEOUT", "ERROR"),
        "set": ("DONE", "ERROR"),
        "emit": ("DONE", "TIMEOUT", "ERROR"),
        "start": ("DONE", "TIMEOUT", "ERROR"),
    }.get(kind, ())


def _in_group(
    frames: list[_Frame], last: str, after: tuple[SyntaxToken, ...], workspace: Workspace
) -> Iterator[Completion]:
    top, body = frames[-1], frames[-2]
    declares = (body.kind, top.owner) in (("action", "args"), ("flow", "input"), ("event", "args"))
    if declares and [str(token.value).lower() for token in top.tail] == ["secret"]:
        yield from _types()
    elif last == "ASSIGN":
        yield from _of_secrets(top, body, after, workspace)
    elif last in _NAMES:
        return
    elif top.owner in keywords.SETTINGS:
        yield from (Completion(name, "property") for name in keywords.SETTINGS[top.owner])
    elif declares:
        yield from _types()
        if body.kind != "event":
            yield Completion("secret", "keyword", keywords.SECRET["declared"])
    elif top.owner == "vars":
        yield Completion("secret", "keyword", keywords.SECRET["declared"])
    elif top.owner in ("args", "input"):
        parameters = _parameters(top, body, after, workspace)
        yield from (Completion(one.name, "variable", _kind_of(one)) for one in parameters)


def _types() -> Iterator[Completion]:
    return (Completion(name, "keyword", "a type") for name in keywords.TYPES)


def _kind_of(parameter: Parameter) -> str:
    return f"{'secret ' * parameter.secret}{parameter.type.value}"


def _parameters(
    top: _Frame, body: _Frame, after: tuple[SyntaxToken, ...], workspace: Workspace
) -> tuple[Parameter, ...]:
    """Return the parameters of the action or flow that the body of the group names."""
    name = body.flow or _named_ahead(after)
    action, flow = workspace.actions.get(name), workspace.flows.get(name)
    if action and top.owner == "args":
        return () if action.takes_value else action.parameters
    return flow.input if flow else ()


def _of_secrets(
    top: _Frame, body: _Frame, after: tuple[SyntaxToken, ...], workspace: Workspace
) -> Iterator[Completion]:
    """Yield `secret` after `=` where a reference to a secret is allowed."""
    name = str(top.tail[-2].value) if len(top.tail) > 1 else ""
    given = top.owner == "args" and any(
        one.secret and one.name == name for one in _parameters(top, body, after, workspace)
    )
    declared = body.kind == "action" and top.owner == "args" and str(top.tail[0].value).lower() == "secret"
    if top.owner == "headers" or given or declared:
        yield Completion("secret", "keyword", keywords.SECRET["read"])


def _is_undo(frame: _Frame) -> bool:
    return frame.kind != "document" and bool(frame.tail) and str(frame.tail[0].value).lower() == "undo"


def _after_undo(top: _Frame, after: tuple[SyntaxToken, ...], workspace: Workspace) -> Iterator[Completion]:
    """Yield `on` after what undoes, and after it and each `|` the states that are not named yet."""
    if len(top.tail) < 3:
        return
    words = [str(token.value) for token in top.tail[3:] if token.kind in _NAMES]
    last = top.tail[-1].kind
    if not words:
        if last in (*_NAMES, "RPAREN"):
            yield Completion("on", "keyword", keywords.ON)
    elif last == "OR" or len(words) == 1:
        action = workspace.actions.get(top.name if top.kind == "action" else top.flow or _named_ahead(after))
        states = (DEFAULT_STATE,) if top.kind == "call" else action.returns if action else ()
        yield from (Completion(state, "state") for state in states if state not in words[1:])


def _after_use(top: _Frame, workspace: Workspace) -> Iterator[Completion]:
    """Yield the flows after `use`, and `as` after the name of one."""
    if len(top.tail) == 1:
        yield from (Completion(name, "flow") for name in workspace.flows)
    elif len(top.tail) == 2:
        yield Completion("as", "keyword", keywords.AS)


def _in_body(
    top: _Frame, last: str, after: tuple[SyntaxToken, ...], workspace: Workspace, *, is_last: bool
) -> Iterator[Completion]:
    key = str(top.tail[0].value).lower() if top.tail else ""
    if last == "ASSIGN":
        if key in ("action", "on_enter", "on_leave", "undo"):
            yield from (Completion(name, "action", " | ".join(one.returns)) for name, one in workspace.actions.items())
            yield from (Completion(name, "flow") for name in workspace.flows if key == "undo")
        elif key == "flow":
            yield from (Completion(name, "flow") for name in workspace.flows)
        yield from (Completion(name, "value") for name in keywords.WHOLE_TYPES.get((top.kind, key), ()))
        yield from (Completion(name, "value") for name in keywords.values_of(top.kind, key))
    elif key in ("undo", "use"):
        yield from _after_use(top, workspace) if key == "use" else _after_undo(top, after, workspace)
    elif not top.tail:
        yield from (Completion(name, "property", line) for name, line in keywords.properties_of(top.kind).items())
        if top.kind in ("flow", "flow_run", "branch", "each"):
            yield from _keywords({**keywords.STEPS, **keywords.USE})
        elif top.kind == "fork":
            yield from _keywords(keywords.BRANCH)
        if is_last and top.kind in BLOCK_WORDS:
            yield Completion(f"{top.kind}_end", "keyword")


def _keywords(lines: Mapping[str, str]) -> Iterator[Completion]:
    return (Completion(name, "keyword", line) for name, line in lines.items())


def _named_ahead(after: tuple[SyntaxToken, ...]) -> str:
    """Return the action or flow that the current step names after the position."""
    for n, token in enumerate(after[:-2]):
        if token.kind in ("TO", "SLASH"):
            break
        if token.kind == "NAME" and str(token.value).lower() in ("action", "flow") and after[n + 1].kind == "ASSIGN":
            return str(after[n + 2].value)
    return ""


def _steps_near(text: str, offset: int) -> list[str]:
    """Return the names before each `=>` of the statement around the offset."""
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
