"""Evaluation of templates: JSON values with expressions that read names of the run.

An expression that finds nothing yields NOTHING, which is not null. What becomes of it depends on the place
(fsl/manual.md, 6): what is sent must be there (`OnNothing.FAIL`), what is kept may be null (`OnNothing.NULL`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from chalicelib import expressions
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.values.secret_values import (
    Cipher,
    decrypt,
    encrypted_texts,
    holds_mark,
    is_posing,
    may_hold_mark,
    shown,
)
from chalicelib.expressions import NOTHING, Draw, Nothing
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, reference_of, source_of
from chalicelib.model.times import Instant


class OnNothing(Enum):
    """What becomes of an expression in a template, at any depth, that yields nothing."""

    FAIL = "fail"
    """The template yields nothing: YieldsNothing is raised."""
    NULL = "null"
    """It yields null."""


class YieldsNothing(ExpressionFailed):
    """An expression yields nothing where a value is needed."""


class Draws:
    """Gives each evaluation a draw of its own. The same moment, seed and order of evaluations give the same draws."""

    __slots__ = ("_at", "_base", "_seed", "count")

    def __init__(self, at: Instant = 0, seed: str = "") -> None:
        self._at, self._seed = at, seed
        self._base: Draw | None = None
        self.count = 0
        """How many evaluations have begun."""

    def last(self) -> Draw:
        """Return the draw of the evaluation that began last."""
        if self._base is None:
            self._base = Draw(self._at, self._seed.encode())
        return self._base.derive(self.count)


class Made(Protocol):
    """What makes the values of `$run`, `$step` and `$now` when an expression reads them: few do."""

    @property
    def run(self) -> Mapping[str, Json]: ...

    @property
    def step(self) -> Mapping[str, Json]: ...

    @property
    def now(self) -> str: ...


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The values of `$input`, `$vars` and so on (fsl/manual.md, 6). A name that is NOTHING is not bound."""

    input: Json = msgspec.field(default_factory=dict)
    vars: Mapping[str, Json] = msgspec.field(default_factory=dict)
    result: Json | Nothing = NOTHING
    state: str = ""
    error: Json | Nothing = NOTHING
    response: Json | Nothing = NOTHING
    event: Json | Nothing = NOTHING
    item: Json | Nothing = NOTHING
    index: int | Nothing = NOTHING
    run: Mapping[str, Json] = msgspec.field(default_factory=dict)
    step: Mapping[str, Json] = msgspec.field(default_factory=dict)
    scheduled: str | Nothing = NOTHING
    config: Mapping[str, Json] = msgspec.field(default_factory=dict)
    now: str = ""
    made: Made | None = None
    """What makes `run`, `step` and `now`; None: they are given."""
    draws: Draws = msgspec.field(default_factory=Draws)
    cipher: Cipher | None = None
    """Set where expressions may read secrets."""
    redact_errors: bool = False
    """Whether expressions read secrets: then errors show no values."""

    def __getitem__(self, name: str) -> Json:
        """Return the value of the name. Raises KeyError if it has none here."""
        value = getattr(self.made if name in _MADE and self.made is not None else self, name)
        if value is NOTHING:
            raise KeyError(name)
        return value

    def bound(self, names: Iterable[str] = expressions.NAMES) -> dict[str, Json]:
        """Return those of the names that have a value here."""
        return {name: self[name] for name in names if getattr(self, name) is not NOTHING}

    def decrypt(self, cipher: Cipher) -> Names:
        """Return the names with all secrets decrypted."""
        found = {name: decrypt(getattr(self, name), cipher) for name in _ENCRYPTABLE}
        redact_errors = any(found[name] is not getattr(self, name) for name in _ENCRYPTABLE)
        return replace(self, **found, cipher=cipher, redact_errors=redact_errors)


_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""The types of templates that are values."""

_ENCRYPTABLE: Final = ("input", "vars", "result", "event", "item", "error", "response")
_MADE: Final = frozenset({"run", "step", "now"})


_INPUT: Final = re.compile(r"\$input\.(?:([A-Za-z_]\w*)|`([^`]*)`)")


@lru_cache(2_000)
def _plain_input(source: str) -> str | None:
    """Return the name of a plain `$input.NAME`; None if the expression is another one."""
    plain = _INPUT.fullmatch(source.strip())
    return (plain[1] or plain[2]) if plain else None


def evaluate(source: str, names: Names) -> Json | Nothing:
    """Return the value of a JSONata expression, or NOTHING if it finds nothing. Raises ExpressionFailed.

    A plain `$input.NAME` is read without JSONata: flows that use nothing else never load it.
    """
    plain = _plain_input(source)
    if plain is not None and isinstance(names.input, Mapping):
        return names.input.get(plain, NOTHING)
    compiled = expressions.compile(source)
    names.draws.count += 1
    value = compiled.small(names)
    if value is not expressions.UNUSUAL:
        return value
    bound = names.bound(compiled.reads)
    try:
        value = compiled.evaluate(bound, names.draws.last())
    except expressions.ExpressionFailed as failure:
        if not names.redact_errors and not holds_mark(str(failure)):
            raise ExpressionFailed(str(failure)) from failure
    else:
        if may_hold_mark(value) and is_posing(value, frozenset(encrypted_texts(bound))):
            raise ExpressionFailed(f"expression {source.strip()!r} yields a value in the form of an encrypted secret")
        return value
    raise ExpressionFailed(f"expression {source.strip()!r} failed; the reason is hidden because it may read secrets")


def evaluate_at_once(source: str, names: Names) -> Json | Nothing:
    """Return what `evaluate` returns; `expressions.UNUSUAL` if that takes a full evaluation. Uses up the same draw."""
    plain = _plain_input(source)
    if plain is not None and isinstance(names.input, Mapping):
        return names.input.get(plain, NOTHING)
    names.draws.count += 1
    return expressions.compile(source).small(names)


def holds(source: str, names: Names) -> bool:
    """Return whether a condition is true; nothing and null are false. Raises ExpressionFailed for other values."""
    value = evaluate(source, names)
    if value is NOTHING or value is None:
        return False
    if isinstance(value, bool):
        return value
    if names.redact_errors:
        raise ExpressionFailed(f"condition {source.strip()!r} yields neither true nor false")
    raise ExpressionFailed(f"condition {source.strip()!r} yields {shown(value)}, which is neither true nor false")


def resolve(template: Template, names: Names, on_nothing: OnNothing = OnNothing.FAIL) -> Json:
    """Return the template with every expression replaced by its value. Raises ExpressionFailed, YieldsNothing."""
    if type(template) in _PLAIN:
        return template
    source = source_of(template)
    if source is not None:
        value = evaluate(source, names)
        if value is not NOTHING:
            return value
        if on_nothing is OnNothing.NULL:
            return None
        raise YieldsNothing(f"expression {source.strip()!r} yields nothing")
    secret = reference_of(template)
    if secret is not None:
        if names.cipher is None:
            raise ExpressionFailed(f"secret {secret!r} may be used only where a secret is declared")
        return names.cipher.secret(secret)
    if isinstance(template, Mapping):
        return {key: resolve(value, names, on_nothing) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [resolve(value, names, on_nothing) for value in template]
    return template


def resolve_known(templates: Mapping[str, Template], names: Names) -> dict[str, Json]:
    """Return the value of each template, except of those that yield nothing. Raises ExpressionFailed."""
    found: dict[str, Json] = {}
    for name, template in templates.items():
        try:
            found[name] = resolve(template, names)
        except YieldsNothing:
            continue
    return found


def resolve_kept(templates: Mapping[str, Template], names: Names) -> dict[str, Json]:
    """Return the value of each template, null for what yields nothing. Raises ExpressionFailed."""
    return {name: resolve(template, names, OnNothing.NULL) for name, template in templates.items()}
