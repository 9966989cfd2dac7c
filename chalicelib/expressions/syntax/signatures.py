"""Signatures of functions: which arguments they take, such as `<s-nn?:s>`.

A parameter is a letter for its types: `s n b l a o f`, `j` for JSON, `x` for anything, `(sf)` for a choice; `a<n>` is
an array of numbers. `-` takes the context for what is missing, `?` is optional, `+` one or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import NOTHING, kind

if TYPE_CHECKING:
    from chalicelib.expressions.meter import Meter

MAX_PARAMETERS: Final = 16
"""Parameters of one signature that an expression writes."""

_KINDS: Final = {
    **{letter: frozenset(letter + "m") for letter in "snblo"},
    "a": frozenset("asnblfom"),
    "f": frozenset("f"),
    "j": frozenset("asnblom"),
    "x": frozenset("asnblfom"),
}


class _Parameter:
    __slots__ = ("context", "exact", "item", "kinds", "many", "optional", "type")

    def __init__(self, letter: str, kinds: frozenset[str]) -> None:
        self.type, self.kinds = letter, kinds
        self.context = self.optional = self.many = False
        self.item: str | None = None
        self.exact = kinds


class Signature:
    """Checks arguments, and completes them."""

    __slots__ = ("_parameters", "_simple")

    def __init__(self, text: str, at: int = 0) -> None:
        self._parameters = _parse(text, at)
        for parameter in self._parameters:
            if parameter.type == "a":
                parameter.exact = frozenset("" if parameter.item else "a")
        self._simple = len(self._parameters)

    def validated(self, args: list[Any], context: Any, meter: Meter) -> list[Any]:
        """Return the arguments as the function takes them. Raises Failure if they do not fit; `token` is the number."""
        if len(args) == self._simple:
            for parameter, arg in zip(self._parameters, args, strict=True):
                if kind(arg) not in parameter.exact:
                    break
            else:
                return args
        kinds = [kind(arg) for arg in args]
        counts = _Match(self._parameters, kinds, meter).counts()
        return self._completed(args, kinds, counts, context, meter)

    def _completed(self, args: list[Any], kinds: list[str], counts: list[int], context: Any, meter: Meter) -> list[Any]:
        result: list[Any] = []
        position = 0
        for parameter, count in zip(self._parameters, counts, strict=True):
            if count == 0:
                if parameter.context:
                    if kind(context) not in parameter.kinds:
                        raise Failure("T0411", value=len(result) + 1)
                    result.append(context)
                else:
                    result.append(args[position] if position < len(args) else NOTHING)
                    position += 1
            matched = "".join(kinds[position : position + count])
            for _ in range(count):
                arg = args[position] if position < len(args) else NOTHING
                result.append(_as_parameter(parameter, arg, matched, position, meter))
                position += 1
        return result


def _as_parameter(parameter: _Parameter, arg: Any, matched: str, position: int, meter: Meter) -> Any:
    letter = kind(arg)
    if parameter.type != "a" or letter == "m":
        return arg
    if parameter.item:
        fits = matched == parameter.item
        if letter == "a":
            wanted = parameter.item[0]
            meter.visit(len(arg))
            fits = not arg or all(kind(item) == wanted for item in arg)
        if not fits:
            raise Failure("T0412", value=position + 1)
    return arg if letter == "a" else [arg]


class _Match:
    """How many arguments each parameter takes: the longest for the first, and so on."""

    def __init__(self, parameters: list[_Parameter], kinds: list[str], meter: Meter) -> None:
        self._parameters, self._kinds, self._meter = parameters, kinds, meter
        self._failed: set[tuple[int, int]] = set()
        self._furthest = 0

    def counts(self) -> list[int]:
        found = self._from(0, 0)
        if found is None:
            raise Failure("T0410", value=min(self._furthest, max(len(self._kinds) - 1, 0)) + 1)
        return found

    def _from(self, index: int, position: int) -> list[int] | None:
        if index == len(self._parameters):
            return [] if position == len(self._kinds) else None
        if (index, position) in self._failed:
            return None
        parameter = self._parameters[index]
        most = 0
        while position + most < len(self._kinds) and self._kinds[position + most] in parameter.kinds:
            most += 1
            if not parameter.many:
                break
        self._furthest = max(self._furthest, position + most)
        self._meter.spend(most)
        for count in range(most, -1 if parameter.optional or parameter.context else 0, -1):
            rest = self._from(index + 1, position + count)
            if rest is not None:
                return [count, *rest]
        self._failed.add((index, position))
        return None


def _parse(text: str, at: int) -> list[_Parameter]:
    parameters: list[_Parameter] = []
    position = 1
    while position < len(text) - 1 and text[position] != ":":
        letter = text[position]
        if letter in "-?+":
            if parameters:
                _modify(parameters[-1], letter)
        elif letter == "<":
            position = _subtype(parameters, text, position, at)
        elif letter == "(":
            end = text.find(")", position)
            choice = text[position + 1 : max(end, 0)]
            if "<" in choice or end < 0:
                raise Failure("S0402", at, choice)
            parameters.append(_Parameter("(", frozenset(choice) | {"m"}))
            position = end
        elif letter in _KINDS:
            parameters.append(_Parameter(letter, _KINDS[letter]))
        if len(parameters) > MAX_PARAMETERS:
            raise Failure("L0013", at)
        position += 1
    return parameters


def _subtype(parameters: list[_Parameter], text: str, position: int, at: int) -> int:
    """Read `<...>` after a parameter; return where it ends."""
    if not parameters or parameters[-1].type not in ("a", "f"):
        raise Failure("S0401", at, parameters[-1].type if parameters else "")
    depth, end = 0, position
    while end < len(text):
        depth += {"<": 1, ">": -1}.get(text[end], 0)
        if depth == 0:
            break
        end += 1
    if parameters[-1].type == "a":
        parameters[-1].item = text[position + 1 : end]
    return end


def _modify(parameter: _Parameter, letter: str) -> None:
    if letter == "-":
        parameter.context = True
    elif letter == "?":
        parameter.optional = True
    else:
        parameter.many = True
