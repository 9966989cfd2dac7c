"""The functions that AWS Step Functions adds to JSONata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.meter import MAX_ITEMS
from chalicelib.expressions.values import NOTHING, Sequence, number

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

_ALGORITHMS: Final = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def partition(m: Machine, values: Any = NOTHING, size: Any = NOTHING) -> Any:
    """Return the array in arrays of so many items; the last has what is left."""
    if values is NOTHING or size is NOTHING:
        return NOTHING
    if size < 1 or size != size // 1:
        raise Failure("L0020", value=size)
    count = int(size)
    m.meter.items(len(values))
    m.meter.room(2 * (len(values) // count + 1))
    return [list(values[start : start + count]) for start in range(0, len(values), count)]


def number_range(m: Machine, first: Any = NOTHING, last: Any = NOTHING, step: Any = NOTHING) -> Any:
    """Return the numbers from the first to the last, both included, in steps."""
    if first is NOTHING or last is NOTHING or step is NOTHING:
        return NOTHING
    if step == 0:
        raise Failure("L0021")
    size = (last - first) / step
    if size >= MAX_ITEMS:
        raise Failure("L0004")
    count = max(0, int(size // 1) + 1)
    m.meter.room(2 * count)
    if all(isinstance(value, int) for value in (first, last, step)):
        return Sequence(range(first, first + count * step, step))
    return Sequence([number(float(first + index * step)) for index in range(count)])


def digest(m: Machine, text: Any = NOTHING, algorithm: Any = NOTHING) -> Any:
    """Return the hash of a text, in hexadecimal figures."""
    if text is NOTHING:
        return NOTHING
    name = _ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if name is None:
        raise Failure("L0022", value=algorithm)
    import hashlib

    m.meter.text(len(text) * 2)
    m.meter.spend(len(text) // 256)
    try:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()
    except UnicodeEncodeError:
        raise Failure("D3140", value=text) from None


def uuid(m: Machine) -> str:
    """Return a random UUID, version 4."""
    m.meter.spend(4)
    data = bytearray(m.stream.bytes(16))
    data[6] = data[6] & 0x0F | 0x40
    data[8] = data[8] & 0x3F | 0x80
    figures = data.hex()
    return "-".join((figures[:8], figures[8:12], figures[12:16], figures[16:20], figures[20:]))


def parse(m: Machine, text: Any = NOTHING) -> Any:
    """Return the value of a JSON text."""
    if text is NOTHING:
        return NOTHING
    import json

    m.meter.text(len(text))
    m.meter.spend(len(text) // 16)
    m.meter.bytes(len(text) * 8)
    if _depth(text) > _MAX_NESTING:
        raise Failure("L0002")
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_float)
    except (ValueError, RecursionError) as error:
        raise Failure("L0023", value=str(error)) from None


_MAX_NESTING: Final = 250


def _depth(text: str) -> int:
    """Return an upper bound of how deep arrays and objects are nested in the text."""
    if text.count("[") + text.count("{") <= _MAX_NESTING:
        return 0
    depth = deepest = 0
    in_text = escaped = False
    for char in text:
        if in_text:
            in_text = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_text = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text[:40]} is out of range")
    return value
