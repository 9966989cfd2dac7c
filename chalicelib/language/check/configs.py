"""Read a config statement as a `Config`."""

from __future__ import annotations

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import property_named
from chalicelib.language.check.readers.values import INVALID_VALUE, read_json
from chalicelib.language.statements import CONFIG
from chalicelib.language.syntax.tree import Statement
from chalicelib.model.statements import Config


def read_config(context: Context, statement: Statement) -> Config | None:
    """Return the value of the configuration; None if it is no JSON value."""
    member = property_named(statement.members, CONFIG)
    if member is None or member.value is None:
        return None
    value = read_json(context, statement.name.text, member.value)
    return None if value is INVALID_VALUE else Config(name=statement.name.text, value=value)
