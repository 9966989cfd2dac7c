"""YAML 1.2 with the short tags of CloudFormation, as plain JSON: `!Ref X` becomes `{"Ref": "X"}`."""

from __future__ import annotations

from typing import Any, Final

import yaml

from fsl.yaml_scalars import scalar

MAX_CHARACTERS: Final = 4_194_304
"""Characters of a template: more than CloudFormation takes."""
MAX_VALUES: Final = 400_000
"""Values of a document, counted again where an anchor is used again."""
MAX_DEPTH: Final = 150

_CORE: Final = "tag:yaml.org,2002:"
_BARE: Final = frozenset({"Ref", "Condition"})
"""The short tags of functions without the prefix `Fn::`."""


class NotYaml(ValueError):
    """The text is no YAML that can be read; the message has the line and the column."""


class _Loader(yaml.SafeLoader):
    """Bounds the nesting while the text is read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next value. Raises NotYaml where too many are nested."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise NotYaml(f"more than {MAX_DEPTH} values are nested{_at(event.start_mark)}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_yaml(text: str) -> Any:
    """Return the document as JSON. Raises NotYaml."""
    if len(text) > MAX_CHARACTERS:
        raise NotYaml(f"the file has more than {MAX_CHARACTERS} characters")
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise NotYaml(f"the text is no YAML{_at(mark)}: {problem.problem or problem.context}") from problem
    except yaml.YAMLError as problem:
        raise NotYaml(f"the text is no YAML: {problem}") from problem
    if root is None:
        raise NotYaml("the text is empty")
    return _Values().value(root)


def _at(mark: yaml.Mark | None) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""


class _Values:
    """Reads the nodes of one document, and counts them."""

    def __init__(self) -> None:
        self._count = self._depth = 0

    def value(self, node: yaml.Node) -> Any:
        self._count += 1
        self._depth += 1
        if self._count > MAX_VALUES or self._depth > MAX_DEPTH:
            raise NotYaml(
                f"the text holds too many values, those counted again that an anchor repeats{_at(node.start_mark)}"
            )
        plain = self._plain(node)
        self._depth -= 1
        tag = str(node.tag)
        return plain if tag.startswith(_CORE) or not tag.startswith("!") or tag == "!" else _function(tag[1:], plain)

    def _plain(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item) for item in node.value]
        if not isinstance(node, yaml.ScalarNode):
            return None
        return str(node.value) if str(node.tag).startswith("!") or node.tag == f"{_CORE}str" else scalar(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise NotYaml(f"a name must be a text{_at(key.start_mark)}")
            name = str(key.value)
            if name in found:
                raise NotYaml(f"the name `{name[:60]}` is there twice{_at(key.start_mark)}")
            found[name] = self.value(value)
        return found


def _function(name: str, value: Any) -> dict[str, Any]:
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _BARE else f"Fn::{name}": value}
