"""JSONPath as Step Functions takes it, read into the tree of `path_tree`.

A path begins with `$` (the input), `$$` (the context object) or `$name` (a variable). What follows is JSONPath as
Jayway's library reads it, which is what AWS uses: `.[0]` and `.['a']` are steps too, a name goes on to the next `.`,
`[` or `(`, and white space at the end is nothing. In a name, a backslash makes the next character plain
(states-language.net).
"""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.filters import FilterReader
from chalicelib.asl.path_tree import (
    Descent,
    Field,
    Fields,
    Filter,
    Function,
    Index,
    Indexes,
    NotReadable,
    Operand,
    Path,
    Root,
    Script,
    Slice,
    Step,
    Wildcard,
)
from chalicelib.asl.scanner import Scanner

FUNCTIONS: Final = frozenset("length size min max avg stddev sum keys concat append first last index".split())  # noqa: SIM905
"""The functions that may end a path."""

MAX_VARIABLE_NAME: Final = 80
"""The characters that a variable's name may have (AWS)."""

_VARIABLE: Final = re.compile(r"[^\W\d]\w*")
_SCRIPT: Final = re.compile(r"[^()\[\]]*")


def parse_path(text: str) -> Path:
    """Return the path. Raises NotReadable with the column of what is wrong."""
    scanner = Scanner(text.rstrip())
    path = read_path(scanner)
    if not scanner.ended:
        scanner.fail(f"{scanner.next_words()} cannot follow here")
    return path


def parse_reference_path(text: str) -> Path:
    """Return a path that names one place: of names and indexes only. Raises NotReadable.

    Such are ResultPath, Variable and the like (states-language.net).
    """
    path = parse_path(text)
    for step in path.steps:
        if not isinstance(step, Field | Index):
            raise NotReadable(1, f"only names and indexes are allowed here, and not {_words(step)}")
    return path


def read_path(scanner: Scanner, stops: str = "") -> Path:
    """Read the path that begins here. A name ends at white space, and at the characters of `stops` too."""
    return _PathReader(scanner, stops).path()


def _words(step: Step) -> str:
    return {
        Fields: "several names",
        Indexes: "several indexes",
        Slice: "a slice",
        Wildcard: "a wildcard",
        Descent: "`..`",
        Filter: "a filter",
        Script: "a computed index",
        Function: "a function",
    }[type(step)]


class _PathReader:
    """The rules of a path, below each other as they read each other."""

    def __init__(self, scanner: Scanner, stops: str) -> None:
        self.scanner = scanner
        self.name_ends = ".[(" + stops

    def path(self) -> Path:
        scanner = self.scanner
        scanner.deeper()
        root, variable = self.root()
        steps: list[Step] = []
        while scanner.peek() in (".", "["):
            if steps and isinstance(steps[-1], Function):
                scanner.fail("a function must be the last step of a path")
            self.step(steps)
        scanner.out()
        return Path(root, variable, tuple(steps))

    def root(self) -> tuple[Root, str]:
        scanner = self.scanner
        if scanner.take("@"):
            return Root.CURRENT, ""
        if not scanner.take("$"):
            scanner.fail("a path must begin with `$`")
        if scanner.take("$"):
            return Root.CONTEXT, ""
        start = scanner.at
        name = scanner.match(_VARIABLE)
        if len(name) > MAX_VARIABLE_NAME:
            scanner.fail(f"the name of a variable has at most {MAX_VARIABLE_NAME} characters", start)
        return (Root.VARIABLE, name) if name else (Root.INPUT, "")

    def step(self, steps: list[Step]) -> None:
        scanner = self.scanner
        if scanner.take(".."):
            steps.append(Descent())
            if scanner.peek() == ".":
                scanner.fail("`...` is no step of a path")
        elif scanner.peek() == ".":
            scanner.take(".")
        if scanner.peek() == "[":
            steps.append(self.bracket())
        elif scanner.take("*"):
            steps.append(Wildcard())
        else:
            steps.append(self.name())

    def name(self) -> Step:
        scanner = self.scanner
        start, parts, text = scanner.at, [], scanner.text
        while scanner.at < len(text):
            char = text[scanner.at]
            if char in self.name_ends or char.isspace():
                break
            if char == "\\":
                scanner.at += 1
                char = scanner.peek()
                if not char:
                    scanner.fail("a character is missing behind `\\`")
            parts.append(char)
            scanner.at += 1
        if not parts:
            scanner.fail("a name is missing behind `.`")
        if scanner.peek() == "(":
            return self.function("".join(parts), start)
        return Field("".join(parts))

    def function(self, name: str, start: int) -> Function:
        if name not in FUNCTIONS:
            self.scanner.fail(f"`{name[:40]}` is no function of paths", start)
        scanner = self.scanner
        scanner.take("(")
        args: list[Operand] = []
        scanner.space()
        while not scanner.take(")"):
            if args:
                scanner.need(",", "between the arguments of a function")
                scanner.space()
            args.append(self.filters().operand())
            scanner.space()
        return Function(name, tuple(args))

    def filters(self) -> FilterReader:
        return FilterReader(self.scanner, lambda: read_path(self.scanner, ",)]=<>!&|~"))

    def bracket(self) -> Step:
        scanner = self.scanner
        scanner.take("[")
        scanner.space()
        if scanner.take("?"):
            step: Step = self.filter()
        elif scanner.take("*"):
            step = Wildcard()
        elif scanner.peek() in ("'", '"'):
            step = self.quoted_names()
        elif scanner.peek() == "(":
            step = self.script()
        else:
            step = self.numbers()
        scanner.space()
        scanner.need("]", "at the end of a step in brackets")
        return step

    def quoted_names(self) -> Step:
        scanner = self.scanner
        names = [scanner.quoted()]
        scanner.space()
        while scanner.take(","):
            scanner.space()
            if scanner.peek() not in ("'", '"'):
                scanner.fail("a name in quotes is missing behind `,`")
            names.append(scanner.quoted())
            scanner.space()
        return Field(names[0]) if len(names) == 1 else Fields(tuple(names))

    def numbers(self) -> Step:
        scanner = self.scanner
        first = scanner.integer()
        scanner.space()
        if scanner.peek() == ":":
            return self.slice(first)
        if first is None:
            scanner.fail(f"{scanner.next_words()} is no index, name in quotes, wildcard or filter")
        indexes = [first]
        while scanner.take(","):
            scanner.space()
            following = scanner.integer()
            if following is None:
                scanner.fail("an index is missing behind `,`")
            indexes.append(following)
            scanner.space()
        return Index(first) if len(indexes) == 1 else Indexes(tuple(indexes))

    def slice(self, start: int | None) -> Slice:
        scanner = self.scanner
        parts = [start]
        while len(parts) < 3 and scanner.take(":"):
            scanner.space()
            parts.append(scanner.integer())
            scanner.space()
        if all(part is None for part in parts):
            scanner.fail("a slice needs a number")
        start, stop, step = [*parts, None][:3]
        if step is not None and step < 1:
            scanner.fail("the step of a slice must be 1 or more")
        return Slice(start, stop, step)

    def filter(self) -> Filter:
        scanner = self.scanner
        scanner.space()
        scanner.need("(", "behind `?`")
        condition = self.filters().condition()
        scanner.space()
        scanner.need(")", "at the end of a filter")
        return Filter(condition)

    def script(self) -> Script:
        scanner = self.scanner
        scanner.take("(")
        start = scanner.at
        source = scanner.match(_SCRIPT)
        if not source.strip():
            scanner.fail("a computed index is missing between the parentheses", start)
        scanner.need(")", "at the end of a computed index")
        return Script(source)
