"""Read an event statement as an `EventType`."""

from __future__ import annotations

from chalicelib.language.check.context import Context
from chalicelib.language.check.readers.members import Properties, owner_of, read_parameters, refuse_steps
from chalicelib.language.problems import Problem
from chalicelib.language.syntax.tree import Declaration, Group, Statement, Value, Word
from chalicelib.model.actions import Parameter
from chalicelib.model.statements import EventType


def read_event(context: Context, statement: Statement) -> EventType:
    """Return the schema of the event. Without `args` its data can be any value."""
    owner = owner_of("event", statement.name)
    refuse_steps(context, owner, statement.members)
    properties = Properties(context, owner, statement.members, ("args",), damaged=statement.damaged)
    return EventType(name=statement.name.text, parameters=properties.read("args", _read_args))


def _read_args(context: Context, name: str, value: Value) -> tuple[Parameter, ...] | None:
    """Read `(type name, type name = default, ...)`. `any` is like no `args`: the data can be any value."""
    if isinstance(value, Word) and value.key == "any":
        return None
    for entry in value.items if isinstance(value, Group) else ():
        if isinstance(entry, Declaration) and entry.secret is not None:
            context.findings.report(Problem.SECRET_IN_EVENT, entry.secret.span, name=entry.name.text)
    return read_parameters(context, name, value)
