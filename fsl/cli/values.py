"""Values in the arguments of commands: `KEY=VALUE`, and JSON or text."""

from __future__ import annotations

import json

import click

from fsl.cli.common import Json


def value_of(text: str) -> Json:
    """Return the JSON value that the text is; the text itself if it is not JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def object_of(text: str, where: str) -> dict[str, Json]:
    """Return a JSON object. Raises click.BadParameter, which names `where` it was given."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise click.BadParameter(f"{where} is not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise click.BadParameter(f"{where} must be a JSON object, not {type(value).__name__}")
    return value


def pair_of(text: str, option: str) -> tuple[str, str]:
    """Return name and value of `K=V`. Raises click.BadParameter, which names the option."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{option} must have the form K=V, not {text!r}")
    return name, value


def _no_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")
