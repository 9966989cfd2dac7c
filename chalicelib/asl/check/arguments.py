"""The arguments of intrinsic functions that are written out: whether the function can take them at all."""

from __future__ import annotations

from typing import Final

from chalicelib.asl.check.context import Place
from chalicelib.asl.intrinsics import Argument, Call, Constant, Text

_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "States.ArrayContains": ("list", "any"),
    "States.ArrayGetItem": ("list", "number"),
    "States.ArrayLength": ("list",),
    "States.ArrayPartition": ("list", "number"),
    "States.ArrayRange": ("number", "number", "number"),
    "States.ArrayUnique": ("list",),
    "States.Base64Decode": ("text",),
    "States.Base64Encode": ("text",),
    "States.Hash": ("any", "text"),
    "States.JsonMerge": ("object", "object", "boolean"),
    "States.MathAdd": ("number", "number"),
    "States.MathRandom": ("number", "number", "number"),
    "States.StringSplit": ("text", "text"),
    "States.StringToJson": ("text",),
}
"""What kind each argument has to be."""

_HASHES: Final = ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512")


def check_call(place: Place, call: Call) -> None:
    """Report arguments that are written out and that the function never takes, also of the calls within."""
    for index, argument in enumerate(call.args):
        if isinstance(argument, Call):
            check_call(place, argument)
        elif wanted := _unwanted(call, index, argument):
            place.error(f"argument {index + 1} of `{call.name}` must be a {wanted}")
    _check_format(place, call)
    _check_words(place, call)


def _unwanted(call: Call, index: int, argument: Argument) -> str:
    kinds = ("text",) if call.name == "States.Format" else _KINDS.get(call.name, ())
    wanted = kinds[index] if index < len(kinds) else "any"
    given = _kind(argument)
    return "" if wanted == "any" or not given or given == wanted else wanted


def _kind(argument: Argument) -> str:
    if isinstance(argument, Text):
        return "text"
    if not isinstance(argument, Constant):
        return ""
    if argument.value is None:
        return "null"
    return "boolean" if isinstance(argument.value, bool) else "number"


def _check_format(place: Place, call: Call) -> None:
    if call.name != "States.Format" or not isinstance(call.args[0], Text):
        return
    wanted, given = len(call.args[0].pieces) - 1, len(call.args) - 1
    if wanted != given:
        place.warning(
            f"the text of `States.Format` has {wanted} places `{{}}` for {given} values: it fails when it runs"
        )


def _check_words(place: Place, call: Call) -> None:
    last = call.args[-1] if call.args else None
    if call.name == "States.Hash" and isinstance(last, Text) and last.value not in _HASHES:
        place.error(f"`States.Hash` knows {', '.join(_HASHES)}")
    if call.name == "States.JsonMerge" and last == Constant(True):
        place.error("`States.JsonMerge` merges the outermost members only: its third argument must be false")
