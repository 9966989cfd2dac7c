"""The words and options of a command: `retry o-1 Charge --version latest`.

A verb is a function. Its docstring begins with its usage. Its positional parameters are words, and its keyword-only
parameters are options: a flag if the default is False, a list if it is a tuple, else a text.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.entrypoints.http.query import Query
from chalicelib.entrypoints.http.request import Request, Response, encoded
from chalicelib.entrypoints.http.route import View
from chalicelib.entrypoints.http.terminal.output import Output, Usage
from chalicelib.model.json_values import Json
from chalicelib.model.similar_names import nearest

Verb: TypeAlias = Callable[..., Output]

_WORD: Final = re.compile(r"(?:`[^`]*`?|[^\s`])+")
_OPTION: Final = re.compile(r"--([a-z][a-z-]*)(?:=(.*))?", re.DOTALL)


class ResourceType(StrEnum):
    """Types of resources, as commands name them."""

    ACTION = "action"
    FLOW = "flow"
    FLOWRUN = "flowrun"
    STEP = "step"
    EVENT = "event"
    EVENTTYPE = "eventtype"
    CONFIG = "config"
    SCHEDULE = "schedule"
    HOOK = "hook"


def words_of(text: str) -> list[str]:
    """Return the words of a command. Backticks hold words with spaces together."""
    return _WORD.findall(text.strip().removesuffix("/"))


def call_verb(request: Request, verb: Verb, words: Sequence[str]) -> Output:
    """Call a verb with the words after its name. Raises Usage, and what the verb raises."""
    positional, options = _bound(verb, words)
    try:
        inspect.signature(verb).bind(request, *positional, **options)
    except TypeError:
        raise Usage(f"wrong number of arguments; usage: {usage_of(verb)}") from None
    return verb(request, *positional, **options)


def usage_of(verb: Verb) -> str:
    return (verb.__doc__ or "").partition("\n")[0]


def _bound(verb: Verb, words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the positional words and the options. A word in backticks is no option."""
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(verb).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    positional: list[str] = []
    options: dict[str, Any] = {}
    pending = list(reversed(words))
    while pending:
        word = pending.pop()
        option = _OPTION.fullmatch(word)
        if option is None or not known:
            positional.append(word.replace("`", ""))
            continue
        name, value = option[1].replace("-", "_"), option[2]
        if name not in known:
            raise Usage(f"unknown option --{option[1]}{similar(option[1], known)}; usage: {usage_of(verb)}")
        if known[name] is False:
            options[name] = True
            continue
        if value is None and not pending:
            raise Usage(f"--{option[1]} needs a value; usage: {usage_of(verb)}")
        text = (pending.pop() if value is None else value).replace("`", "")
        options[name] = (*options.get(name, ()), text) if isinstance(known[name], tuple) else text
    return positional, options


def type_of(word: str) -> ResourceType:
    """Return the type that a word names. Raises Usage."""
    known = word.lower().replace("_", "")
    if known not in list(ResourceType):
        raise Usage(f"unknown type {word!r:.60}{similar(word, ResourceType)}; the types are {', '.join(ResourceType)}")
    return ResourceType(known)


def similar(word: str, known: Iterable[str]) -> str:
    """Return a question for the most similar known word; empty if there is none."""
    found = nearest(word, known)
    return f" (did you mean {found}?)" if found else ""


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def value_of(text: str) -> Json:
    """Return the JSON value that the text is; the text itself if it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def data_of(words: Sequence[str]) -> Json:
    """Return the value of the last words of a command; None if there are none."""
    return value_of(" ".join(words)) if words else None


def pairs_of(words: Iterable[str]) -> dict[str, Json]:
    """Return the values of words like `K=V`. Raises Usage."""
    found: dict[str, Json] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise Usage(f"{word!r:.60} must have the form NAME=VALUE")
        found[name] = value_of(value)
    return found


def step_of(word: str) -> tuple[str, str]:
    """Return the run and the step of `RUN.STEP`. Raises Usage."""
    run, _, step = word.rpartition(".")
    if not run or not step:
        raise Usage(f"{word!r:.60} must have the form RUN.STEP")
    return run, step


def ask(
    request: Request, view: View, *, body: Mapping[str, Json] | None = None, query: Mapping[str, Any] | None = None,
    **names: str,
) -> Json:  # fmt: skip
    """Return what an HTTP call answers, secrets masked.

    Parameters and fields that are None are left out; a parameter that is a list is repeated.
    """
    given = {name: value for name, value in (query or {}).items() if value not in (None, (), "")}
    parameters = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items()}
    fields = {name: value for name, value in (body or {}).items() if value is not None}
    content = b"" if body is None else msgspec.json.encode(fields)
    answered = view(replace(request, body=content, query=Query(parameters)), **names)
    return msgspec.json.decode(encoded(answered.body if isinstance(answered, Response) else answered))
