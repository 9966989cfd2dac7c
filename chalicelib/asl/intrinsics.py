r"""Intrinsic functions: `States.Format('Hello, {}', $.name)`, read into a tree.

An argument is a text in single quotes, a number, null, true, false, a path, or a call. In a text, a backslash makes
`'`, `\`, `{` and `}` plain; before other characters it is itself, as recorded on AWS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from chalicelib.asl.path_tree import NotReadable, Path
from chalicelib.asl.paths import parse_path, read_path
from chalicelib.asl.scanner import Scanner

__all__ = [
    "ARITIES",
    "Argument",
    "Call",
    "Constant",
    "NotReadable",
    "Text",
    "is_call",
    "parse_intrinsic",
    "parse_value",
]

ARITIES: Final[dict[str, tuple[int, int | None]]] = {
    "States.Array": (0, None),
    "States.ArrayContains": (2, 2),
    "States.ArrayGetItem": (2, 2),
    "States.ArrayLength": (1, 1),
    "States.ArrayPartition": (2, 2),
    "States.ArrayRange": (3, 3),
    "States.ArrayUnique": (1, 1),
    "States.Base64Decode": (1, 1),
    "States.Base64Encode": (1, 1),
    "States.Format": (1, None),
    "States.Hash": (2, 2),
    "States.JsonMerge": (3, 3),
    "States.JsonToString": (1, 1),
    "States.MathAdd": (2, 2),
    "States.MathRandom": (2, 3),
    "States.StringSplit": (2, 2),
    "States.StringToJson": (1, 1),
    "States.UUID": (0, 0),
}
"""How many arguments each function takes: at least, and at most (None: any number)."""

MAX_NESTED: Final = 10
"""How many functions may be nested within each other (AWS)."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_WORD: Final = re.compile(r"[A-Za-z]+")
_NAMED: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes.

    Attributes:
        value: The text, escapes resolved. `{}` of a template is in it too.
        pieces: The text cut at each `{}` that is not escaped: one piece more than there are such places.
    """

    value: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a boolean or null."""

    value: int | float | bool | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments. `name` is one of ARITIES."""

    name: str
    args: tuple[Argument, ...]


Argument: TypeAlias = Text | Constant | Call | Path


def is_call(text: str) -> bool:
    """Return whether the text means an intrinsic function, well written or not."""
    return text.startswith("States.")


def parse_value(text: str) -> Call | Path:
    """Return what a member `x.$` of a payload template says. Raises NotReadable."""
    if is_call(text):
        return parse_intrinsic(text)
    if not text.startswith("$"):
        raise NotReadable(1, "neither a path, which begins with `$`, nor an intrinsic function `States.`")
    return parse_path(text)


def parse_intrinsic(text: str) -> Call:
    """Return the call. Raises NotReadable: syntax, unknown names, numbers of arguments, too many calls nested."""
    scanner = Scanner(text.rstrip())
    call = _call(scanner, 1)
    if not scanner.ended:
        scanner.fail(f"{scanner.next_words()} cannot follow here")
    return call


def _call(scanner: Scanner, depth: int) -> Call:
    start = scanner.at
    name = scanner.match(_NAME)
    if name not in ARITIES:
        scanner.fail(f"`{name[:60]}` is no intrinsic function" if name else "an intrinsic function is missing", start)
    if depth > MAX_NESTED:
        scanner.fail(f"more than {MAX_NESTED} intrinsic functions are nested", start)
    scanner.need("(", f"behind `{name}`")
    args: list[Argument] = []
    scanner.space()
    while not scanner.take(")"):
        if args:
            if not scanner.take(","):
                scanner.fail(f"`,` or `)` is missing in the arguments of `{name}`")
            scanner.space()
        args.append(_argument(scanner, depth))
        scanner.space()
    _check_arity(scanner, name, len(args), start)
    return Call(name, tuple(args))


def _check_arity(scanner: Scanner, name: str, count: int, start: int) -> None:
    least, most = ARITIES[name]
    if count < least or (most is not None and count > most):
        wanted = str(least) if least == most else f"{least} to {most}" if most else f"{least} or more"
        scanner.fail(f"`{name}` takes {wanted} arguments, and not {count}", start)


def _argument(scanner: Scanner, depth: int) -> Argument:
    head = scanner.peek()
    if head == "'":
        return _text(scanner)
    if head == "$":
        return read_path(scanner, ",)")
    if scanner.peek(7) == "States.":
        return _call(scanner, depth + 1)
    start = scanner.at
    number = scanner.number()
    if number is not None:
        return Constant(number)
    word = scanner.match(_WORD)
    if word not in _NAMED:
        scanner.at = start
        scanner.fail(f"{scanner.next_words()} is no argument: a text in single quotes, a number, a path or a function")
    return Constant(_NAMED[word])


def _text(scanner: Scanner) -> Text:
    start = scanner.at
    scanner.at += 1
    pieces: list[str] = []
    piece: list[str] = []
    while not scanner.ended:
        char = scanner.text[scanner.at]
        scanner.at += 1
        if char == "'":
            pieces.append("".join(piece))
            return Text("{}".join(pieces), tuple(pieces))
        if char == "\\" and not scanner.ended and scanner.peek() in "'\\{}":
            char = scanner.peek()
            scanner.at += 1
        elif char == "{" and scanner.take("}"):
            pieces.append("".join(piece))
            piece = []
            continue
        piece.append(char)
    raise NotReadable(start + 1, "the quote is not closed")
