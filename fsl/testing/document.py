"""YAML with the position of every value.

Plain scalars follow the core schema of YAML 1.2: `true`, `false`, `null` and numbers are what they look like,
everything else is text. So states such as NO and ON are text, and so are times and durations.

Size and nesting are bounded while the text is read. A value that is used again by its anchor (`*name`) counts with
all that it holds each time, so that a short text cannot be a huge value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import yaml

from chalicelib.model.errors import EchoerError
from chalicelib.model.json_values import Json
from fsl.yaml_scalars import scalar

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]

MAX_DEPTH: Final = 64
MAX_CHARACTERS: Final = 1_048_576
"""Characters of one test file."""
MAX_VALUES: Final = 100_000
"""Mappings, lists, keys and single values of one test file."""
_TOO_DEEP: Final = f"values are nested more than {MAX_DEPTH} deep"
_TOO_MANY: Final = f"the file has more than {MAX_VALUES} values, those counted again that are used by an anchor"
_AT: Final = re.compile(r"(.*?)(?: - at `(key` in `)?(\$.*)`)?", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")

_T = TypeVar("_T")


class BadTest(EchoerError):
    """A test file that cannot be run. Lines and columns start at 1."""

    def __init__(self, file: str, line: int, column: int, message: str) -> None:
        super().__init__(f"{file}:{line}:{column}: error: {message}")
        self.file, self.line, self.column, self.message = file, line, column, message


class _Bomb(yaml.MarkedYAMLError):
    """A text that is beyond a limit."""


class _Loader(yaml.SafeLoader):
    """Composes no more values, and none nested more deeply, than a test file may have."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next value. Raises _Bomb beyond a limit."""
        self._values += 1
        self._depth += 1
        if self._values > MAX_VALUES or self._depth > MAX_DEPTH:
            problem = _TOO_DEEP if self._depth > MAX_DEPTH else _TOO_MANY
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise _Bomb(None, None, problem, event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class Document:
    """One YAML document: its value, and the position of each part."""

    def __init__(self, file: str, text: str) -> None:
        """Raises BadTest."""
        self.file = file
        self._values = 0
        if len(text) > MAX_CHARACTERS:
            raise BadTest(file, 1, 1, f"the file has {len(text)} characters; the limit is {MAX_CHARACTERS}")
        try:
            root = yaml.compose(text, Loader=_Loader)
        except _Bomb as exc:
            raise BadTest(file, *_place(exc), exc.problem or "") from exc
        except yaml.MarkedYAMLError as exc:
            raise BadTest(file, *_place(exc), f"not valid YAML: {exc.problem or exc.context}") from exc
        except yaml.YAMLError as exc:
            raise BadTest(file, 1, 1, f"not valid YAML: {exc}") from exc
        if root is None:
            raise BadTest(file, 1, 1, "the file is empty: expected `tests`")
        self._root = root
        self.value = self._read(root, MAX_DEPTH)

    def problem(self, path: Path, message: str) -> BadTest:
        """Return the error for the value at the path."""
        node, key = self._root, None
        for step in path:
            node, key = self._within(node, step) or (node, key)
        return self._at(key if key is not None and path and isinstance(path[-1], str) else node, message)

    def convert(self, kind: type[_T]) -> _T:
        """Convert the document to that type. Raises BadTest."""
        try:
            return msgspec.convert(self.value, kind)
        except msgspec.ValidationError as exc:
            message, path = _split(exc)
            raise self.problem(_culprit(self.value, kind, path), _in_words(message)) from exc

    # ── nodes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, node: yaml.Node, depth: int) -> Json:
        if depth <= 0:
            raise self._at(node, _TOO_DEEP)
        self._count(node)
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Json] = {}
            for key, value in node.value:
                self._count(key)
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if not isinstance(name, str):
                    raise self._at(key, "a key must be text")
                if name in found:
                    raise self._at(key, f"`{name}` is given twice")
                found[name] = self._read(value, depth - 1)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self._read(item, depth - 1) for item in node.value]
        return scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _count(self, node: yaml.Node) -> None:
        """Count a value, also where it is used again. Raises BadTest if there are too many."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._at(node, _TOO_MANY)

    @staticmethod
    def _within(node: yaml.Node, step: Step) -> tuple[yaml.Node, yaml.Node | None] | None:
        """Return the node at that step of the path, and its key."""
        if isinstance(node, yaml.MappingNode):
            return next(((value, key) for key, value in node.value if key.value == step), None)
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step], None
        return None

    def _at(self, node: yaml.Node, message: str) -> BadTest:
        return BadTest(self.file, node.start_mark.line + 1, node.start_mark.column + 1, message)


def _place(error: yaml.MarkedYAMLError) -> tuple[int, int]:
    """Return the line and the column of the error, from 1."""
    mark = error.problem_mark or error.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _split(exc: msgspec.ValidationError) -> tuple[str, Path]:
    """Split msgspec's error into its message and the path that it names."""
    matched = _AT.fullmatch(str(exc))
    message, path = (matched[1], matched[3] or "") if matched else (str(exc), "")
    steps: list[Step] = [name or (int(place) if place.isdigit() else place) for name, place in _PART.findall(path)]
    unknown = _UNKNOWN.fullmatch(message)
    return message, (*steps, unknown[1]) if unknown else tuple(steps)


def _culprit(value: Json, kind: Any, path: Path) -> Path:
    """Replace each `...` in the path, by which msgspec means some member of a mapping, by that member's name."""
    if "..." not in path:
        return path
    at = path.index("...")
    for name in _inside(value, path[:at]):
        alone = _only(value, path[:at], name)
        try:
            msgspec.convert(alone, kind)
        except msgspec.ValidationError as exc:
            if _split(exc)[1] == path:
                return _culprit(alone, kind, (*path[:at], name, *path[at + 1 :]))
    return path[:at]


def _inside(value: Json, path: Path) -> Sequence[str]:
    for step in path:
        value = value[step]
    return list(value) if isinstance(value, Mapping) else []


def _only(value: Json, path: Path, name: str) -> Json:
    """Return the value with only the member `name` in the mapping at the path."""
    if not path:
        return {name: value[name]}
    inner = _only(value[path[0]], path[1:], name)
    if isinstance(value, list):
        return [inner if n == path[0] else item for n, item in enumerate(value)]
    return {**value, path[0]: inner}


_REWORDED: Final = (
    (_UNKNOWN, r"unknown field `\1`"),
    (re.compile(r"Object missing required field `(.*)`"), r"the field `\1` is missing"),
    (re.compile(r"Expected `str` matching regex .*"), "expected a duration such as 90s, 15m, 2h or 3d"),
    (re.compile(r"Expected `(.*)`, got `(.*)`"), r"expected \1, found \2"),
)
_KINDS: Final = {"object": "a mapping", "array": "a list", "str": "text", "int": "a whole number", "null": "nothing"}


def _in_words(message: str) -> str:
    """Reword msgspec's message for authors of tests."""
    for pattern, words in _REWORDED:
        if pattern.fullmatch(message):
            reworded = pattern.sub(words, message)
            if reworded.startswith("expected"):
                reworded = re.sub(r"\b(object|array|str|int|null)\b", lambda found: _KINDS[found[0]], reworded)
            return reworded.replace(" | ", " or ")
    return message
