"""Evaluation of templates: JSON values with expressions that read names of the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final

from chalicelib.engine import expressions
from chalicelib.engine.errors import ExpressionFailed
from chalicelib.engine.secret_values import Cipher, decrypt
from chalicelib.model.json_values import Json
from chalicelib.model.templates import Template, reference_of, source_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The values of `$input`, `$vars` and so on (fsl/manual.md, 6)."""

    input: Mapping[str, Json] = field(default_factory=dict)
    vars: Mapping[str, Json] = field(default_factory=dict)
    result: Json = None
    state: str = ""
    error: Json = None
    event: Json = None
    item: Json = None
    index: int | None = None
    run: Mapping[str, Json] = field(default_factory=dict)
    now: str = ""
    cipher: Cipher | None = None
    """Set where expressions may read secrets."""
    redact_errors: bool = False
    """Whether expressions read secrets: then errors show no values."""

    def bound(self) -> dict[str, Json]:
        """Return the names that have a value here."""
        return {name: value for name in _BOUND if (value := getattr(self, name)) is not None}

    def decrypt(self, cipher: Cipher) -> Names:
        """Return the names with all secrets decrypted."""
        found = {name: decrypt(getattr(self, name), cipher) for name in _ENCRYPTABLE}
        redact_errors = any(found[name] is not getattr(self, name) for name in _ENCRYPTABLE)
        return replace(self, **found, cipher=cipher, redact_errors=redact_errors)


_ENCRYPTABLE: Final = ("input", "vars", "result", "event", "item", "error")
_BOUND: Final = tuple(known.name for known in fields(Names) if known.name not in ("cipher", "redact_errors"))


_INPUT: Final = re.compile(r"\$input\.(?:([A-Za-z_]\w*)|`([^`]*)`)")


def evaluate(source: str, names: Names) -> Json:
    """Return the value of a JSONata expression; None if it yields nothing. Raises ExpressionFailed.

    A plain `$input.NAME` is read without JSONata: flows that use nothing else never load it.
    """
    plain = _INPUT.fullmatch(source.strip())
    if plain:
        return names.input.get(plain[1] or plain[2])
    try:
        return expressions.evaluate(source, names.bound())
    except ExpressionFailed:
        if not names.redact_errors:
            raise
        raise ExpressionFailed(
            f"expression {source.strip()!r} failed; the reason is hidden because it may read secrets"
        ) from None


def holds(source: str, names: Names) -> bool:
    """Return whether a condition is true. Raises ExpressionFailed, also if it yields neither true nor false."""
    value = evaluate(source, names)
    if value is None or isinstance(value, bool):
        return value is True
    if names.redact_errors:
        raise ExpressionFailed(f"condition {source.strip()!r} yields neither true nor false")
    raise ExpressionFailed(f"condition {source.strip()!r} yields {value!r:.60}, which is neither true nor false")


def resolve(template: Template, names: Names) -> Json:
    """Return the template with every expression replaced by its value. Raises ExpressionFailed."""
    source = source_of(template)
    if source is not None:
        value = evaluate(source, names)
        if value is None:
            raise ExpressionFailed(f"expression {source.strip()!r} yields nothing")
        return value
    secret = reference_of(template)
    if secret is not None:
        if names.cipher is None:
            raise ExpressionFailed(f"secret {secret!r} may be used only where a secret is declared")
        return names.cipher.secret(secret)
    if isinstance(template, Mapping):
        return {key: resolve(value, names) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [resolve(value, names) for value in template]
    return template


def resolve_known(templates: Mapping[str, Template], names: Names) -> dict[str, Json]:
    """Return the value of each template, except of expressions that yield nothing. Raises ExpressionFailed."""
    found: dict[str, Json] = {}
    for name, template in templates.items():
        source = source_of(template)
        value = evaluate(source, names) if source is not None else resolve(template, names)
        if value is not None or source is None:
            found[name] = value
    return found
