"""Functions on texts that take a text or a regular expression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import trunc
from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.evaluation.calls import apply
from chalicelib.expressions.meter import MAX_ITEMS
from chalicelib.expressions.patterns import Pattern
from chalicelib.expressions.values import NOTHING, Function, Sequence, is_number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine


class _Match(NamedTuple):
    text: str
    start: int
    end: int
    groups: list[Any]


def _matches(m: Machine, matcher: Function, text: str) -> Iterator[_Match]:
    """Yield what the matcher finds: a regular expression, or a function that yields such objects."""
    if isinstance(matcher, Pattern):
        for found in matcher.found(m, text):
            yield _Match(found.group(), found.start(), found.end(), list(found.groups()))
        return
    result = apply(m, matcher, [text], None)
    while result is not NOTHING and result is not None:
        yield _custom(result)
        result = apply(m, result["next"], [], None)


def _custom(result: Any) -> _Match:
    if (
        not isinstance(result, dict)
        or not is_number(result.get("start"))
        or not is_number(result.get("end"))
        or not isinstance(result.get("groups"), list)
        or not isinstance(result.get("next"), Function)
        or not isinstance(result.get("match"), str)
    ):
        raise Failure("T1010")
    return _Match(result["match"], int(result["start"]), int(result["end"]), result["groups"])


def _limit(limit: Any, code: str) -> float:
    if limit is NOTHING:
        return MAX_ITEMS + 1
    if limit < 0:
        raise Failure(code, value=limit)
    return float(limit)


def match(m: Machine, text: Any = NOTHING, matcher: Any = NOTHING, limit: Any = NOTHING) -> Any:
    """Return what matches, and where."""
    if text is NOTHING:
        return NOTHING
    most = _limit(limit, "D3040")
    result = Sequence()
    if most <= 0:
        return result
    for found in _matches(m, matcher, text):
        m.meter.items(12 + len(found.groups))
        result.append({"match": found.text, "index": found.start, "groups": found.groups})
        if len(result) >= most:
            break
    return result


def contains(m: Machine, text: Any = NOTHING, part: Any = NOTHING) -> Any:
    """Whether the text contains a text or a match."""
    if text is NOTHING:
        return NOTHING
    if isinstance(part, str):
        m.meter.read(2 * len(text))
        return part in text
    if part is NOTHING:
        return False
    return any(True for _ in _matches(m, part, text))


def replace(
    m: Machine, text: Any = NOTHING, pattern: Any = NOTHING, replacement: Any = NOTHING, limit: Any = NOTHING
) -> Any:
    """Return the text with what matches replaced."""
    if text is NOTHING:
        return NOTHING
    if pattern == "":
        raise Failure("D3010", value=replacement)
    most = _limit(limit, "D3011")
    if most <= 0 or pattern is NOTHING:
        return text
    if isinstance(pattern, str):
        return _replaced_text(m, text, pattern, replacement, most)
    pieces: list[str] = []
    position = count = length = 0
    replacer = _replacer(m, replacement)
    for found in _matches(m, pattern, text):
        piece = replacer(found)
        pieces += (text[position : found.start], piece)
        length += len(pieces[-2]) + len(piece)
        m.meter.text(length)
        m.meter.bytes(-length + len(piece))
        position = found.start + len(found.text)
        count += 1  # noqa: SIM113 - it counts in `most`, which may be a fraction
        if count >= most:
            break
    pieces.append(text[position:])
    m.meter.text(length + len(pieces[-1]))
    return "".join(pieces)


def _replaced_text(m: Machine, text: str, pattern: str, replacement: Any, most: float) -> str:
    m.meter.read(2 * len(text))
    if not isinstance(replacement, str):
        if pattern not in text:
            return text
        raise Failure("D3012", value=replacement)
    times = min(text.count(pattern), trunc(most) if most == trunc(most) else trunc(most) + 1)
    m.meter.spend(times // 8)
    m.meter.text(len(text) + times * (len(replacement) - len(pattern)))
    return text.replace(pattern, replacement, times)


def _replacer(m: Machine, replacement: Any) -> Callable[[_Match], str]:
    if isinstance(replacement, str):
        return lambda found: _expanded(m, replacement, found)

    def called(found: _Match) -> str:
        if not isinstance(replacement, Function):
            raise Failure("D3012", value=replacement)
        m.meter.items(12 + len(found.groups))
        given = {"match": found.text, "start": found.start, "end": found.end, "groups": found.groups}
        result = apply(m, replacement, [given], None)
        if not isinstance(result, str):
            raise Failure("D3012", value=result)
        return result

    return called


def _expanded(m: Machine, template: str, found: _Match) -> str:
    """Return the template with `$0`, `$1` and so on replaced by the groups of the match, and `$$` by `$`."""
    if "$" not in template:
        return template
    m.meter.read(len(template))
    pieces = []
    position = 0
    while True:
        mark = template.find("$", position)
        if mark < 0 or position >= len(template):
            break
        m.meter.spend(1)
        pieces.append(template[position:mark])
        piece, position = _group(template, mark + 1, found)
        m.meter.text(len(piece))
        pieces.append(piece)
    pieces.append(template[position:])
    return "".join(pieces)


def _group(template: str, at: int, found: _Match) -> tuple[str, int]:
    """Return the text of what follows a `$`, and where the template goes on."""
    letter = template[at : at + 1]
    if letter == "$":
        return "$", at + 1
    if letter == "0":
        return found.text, at + 1
    digits = ""
    for char in template[at : at + max(1, len(str(len(found.groups))))]:
        if not ("0" <= char <= "9"):
            break
        digits += char
    if not digits:
        return "$", at
    if len(digits) > 1 and int(digits) > len(found.groups):
        digits = digits[:-1]
    index = int(digits)
    group = found.groups[index - 1] if 0 < index <= len(found.groups) else ""
    return (group if isinstance(group, str) else ""), at + len(digits)


def split(m: Machine, text: Any = NOTHING, separator: Any = NOTHING, limit: Any = NOTHING) -> Any:
    """Return the parts of the text between what matches."""
    if text is NOTHING:
        return NOTHING
    most = _limit(limit, "D3020")
    if most <= 0:
        return []
    m.meter.text(len(text))
    if separator is NOTHING:
        return [text]
    if isinstance(separator, str):
        whole = trunc(most)
        m.meter.items(min(whole, text.count(separator) + 1 if separator else len(text)))
        parts = text.split(separator, whole) if separator else list(text[:whole])
        return parts[:whole]
    result: list[str] = []
    start = 0
    for found in _matches(m, separator, text):
        if len(result) >= most:
            break
        m.meter.items(1)
        result.append(text[start : found.start])
        start = found.end
    if len(result) < most:
        result.append(text[start:])
    m.meter.items(len(result))
    return result
