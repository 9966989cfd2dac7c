"""Templates of FSL as JSON with expressions in `{% %}`, or as the text of one expression."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from enum import Enum

from chalicelib.asl.export.values.names import Inexpressible, Reads, free_name
from chalicelib.asl.export.values.rewrite import names_read, needed_in, translated
from chalicelib.asl.export.values.shapes import has_value, path_in
from chalicelib.model.json_values import Json, children_in
from chalicelib.model.templates import Template, reference_of, source_of


class Missing(Enum):
    """What becomes of an expression that yields nothing."""

    FAIL = "fail"
    """The state fails, as Step Functions does by itself."""
    NULL = "null"
    """It becomes null."""


class Writer:
    """Writes templates as they are read at one place. `sure`: paths that always have a value."""

    def __init__(self, reads: Reads, sure: Set[tuple[str, ...]]) -> None:
        self.reads = reads
        self.sure = sure

    def value(self, template: Template, missing: Missing) -> Json:
        """Return the template as a value of a machine. Raises Inexpressible."""
        source = source_of(template)
        if source is not None:
            return self._leaf(source, missing)
        self._refuse_secret(template)
        if isinstance(template, Mapping):
            return {key: self.value(one, missing) for key, one in template.items()}
        if isinstance(template, (list, tuple)):
            return [self.value(one, missing) for one in template]
        return literal(template)

    def text(self, template: Template, missing: Missing) -> str:
        """Return the template as the text of an expression. Raises Inexpressible."""
        source = source_of(template)
        if source is not None:
            return self._text(source, missing)
        self._refuse_secret(template)
        if isinstance(template, Mapping):
            members = (f"{quoted(key)}: {self.text(one, missing)}" for key, one in template.items())
            return "{" + ", ".join(members) + "}"
        if isinstance(template, (list, tuple)):
            return "[" + ", ".join(self._item(one, missing) for one in template) + "]"
        return quoted(template)

    def _item(self, template: Template, missing: Missing) -> str:
        """Return the text of an item of a list. JSONata would add the items of a list that an expression yields."""
        text = self.text(template, missing)
        source = source_of(template)
        if source is None:
            return text
        name = self.local("value")
        return f'({name} := {text}; $type({name}) = "array" ? [[{name}]] : {name})'

    def local(self, name: str) -> str:
        """Return a local variable that is no variable of the machine."""
        return "$" + free_name(name, {*self.reads.variables.values()})

    def is_sure(self, template: Template) -> bool:
        """Return whether all expressions in the template yield a value, wherever they do not fail."""
        source = source_of(template)
        return has_value(source, self.sure) if source is not None else all(map(self.is_sure, children_in(template)))

    def _leaf(self, source: str, missing: Missing) -> Json:
        if missing is Missing.NULL and self._is_empty(source):
            return None
        needed = needed_in(source)
        if needed is not None:  # a value of a machine must be there in any case
            return wrapped(translated(needed, self.reads))
        return wrapped(self._text(source, missing))

    def _is_empty(self, source: str) -> bool:
        """Return whether the expression is a path into what has no value at this place."""
        path = path_in(source)
        if path is None or path[0] in ("vars", "run", "config"):
            return False
        meaning = self.reads.meaning(path[0])
        return meaning.whole in ("()", "(null)") and not meaning.members

    def _text(self, source: str, missing: Missing) -> str:
        if missing is Missing.NULL and self._is_empty(source):
            return "null"
        text = translated(source, self.reads)
        if missing is Missing.FAIL or has_value(source, self.sure):
            return text
        if path_in(source) is not None:
            return f"$exists({text}) ? {text} : null"
        name = self.local("kept")
        return f"({name} := {text}; $exists({name}) ? {name} : null)"

    def _refuse_secret(self, template: Template) -> None:
        name = reference_of(template)
        if name is not None:
            raise Inexpressible(f"secret {name!r}: Step Functions reads no secrets; let the function read it")


def wrapped(text: str) -> str:
    """Return the expression as a value of a machine."""
    return "{% " + text + " %}"


def text_of(value: Json) -> str:
    """Return a value of a machine as the text of an expression."""
    if isinstance(value, str) and value.startswith("{% "):
        return f"({value[3:-3]})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quoted(name)}: {text_of(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return quoted(value)


def literal(value: Json) -> Json:
    """Return a value that is no expression. A text that looks like one becomes an expression that yields it."""
    if isinstance(value, str) and value.startswith("{%") and value.rstrip().endswith("%}"):
        return wrapped(quoted(value[:2]) + " & " + quoted(value[2:]))
    return value


def quoted(value: Json) -> str:
    """Return a JSON value as the text of an expression."""
    return json.dumps(value, ensure_ascii=False)


def names_in(template: Template) -> frozenset[str]:
    """Return the names that the expressions in a template read; variables as `vars.x`."""
    source = source_of(template)
    if source is not None:
        return names_read(source)
    return frozenset[str]().union(*map(names_in, children_in(template)))
