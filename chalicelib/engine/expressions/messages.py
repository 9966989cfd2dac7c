"""What went wrong, in words for a person: the library's own speak Java and Python."""

from __future__ import annotations

import re
from typing import Any, Final

from jsonata import JException

from chalicelib.engine.expressions.limits import Halt

# {0} and {1} are what the library tells about the error: the token or value, and what it expected.
_TEXTS: Final = {
    "S0201": "{0} is unexpected",
    "S0202": "{1} is unexpected, {0} is missing",
    "S0203": "{0} is missing at the end",
    "S0207": "the expression ends too soon",
    "S0208": "a parameter must be a name that starts with $",
    "S0211": "{0} needs a value before it",
    "S0212": "the left side of := must be a name that starts with $",
    "S0213": "{0} cannot be a step of a path",
    "S0214": "{0} must be followed by a name that starts with $",
    "S0217": "% has no parent here",
    "S0301": "the regular expression or the escape sequence is not complete",
    "T0410": "argument {0} of ${1} is of the wrong kind or missing",
    "T0411": "an argument is missing",
    "T0412": "argument {0} of ${1} is an array of the wrong kind",
    "D1001": "a number is out of range",
    "D1002": "- needs a number",
    "T1003": "the name of a member must be text, not {0}",
    "T1005": "{0} is no function; did you mean ${0}?",
    "T1006": "something is called that is no function",
    "T1008": "something is called that is no function",
    "D1009": "two members have the name {0}",
    "T2001": "the left side of {0} must be a number, not {1}",
    "T2002": "the right side of {0} must be a number, not {1}",
    "T2003": "a range must start with a whole number, not {0}",
    "T2004": "a range must end with a whole number, not {0}",
    "T2006": "~> needs a function on its right side",
    "T2007": "texts and numbers cannot be ordered together",
    "T2008": "only texts and numbers can be ordered",
    "T2009": "{0} and {1} cannot be compared",
    "T2010": "{0} compares numbers or texts, not {1}",
    "T2011": "a transform must set the members of an object",
    "T2012": "a transform must delete names of members",
    "D3012": "the replacement of a match must be text",
    "D3020": "the limit of $split must not be negative",
    "D3040": "the limit of $match must not be negative",
    "D3050": "the function of $reduce needs two parameters",
    "D3060": "{0} has no square root",
    "D3061": "the power is out of range",
    "D3070": "$sort needs a function for anything but numbers or texts",
    "D3080": "the picture has more than two parts",
    "D3137": "{0}",
    "D3138": "$single found more than one",
    "D3139": "$single found none",
    "D3141": "{0}",
}
_PLAIN: Final = frozenset({"D3137", "D3141", "T0410", "T0412", "T1005", "D1009", "T2001", "T2002", "T2010"})
_TOKENS: Final = frozenset({"S0201", "S0202", "S0203", "S0211", "S0213", "S0214"})

UNKNOWN: Final = "a value or a picture is not what is needed here"
"""The library stumbled, and its error tells nothing to a person."""

_FOREIGN: Final[dict[type[Exception], str]] = {
    RecursionError: "it is nested too deeply, or calls itself without end",
    ZeroDivisionError: "a number is divided by zero",
    OverflowError: "a number is out of range",
    UnicodeError: "text is not Unicode",
}


def reason(exc: Exception) -> tuple[int | None, str]:
    """Where (an offset, if known) and why."""
    if isinstance(exc, Halt):
        return exc.at, str(exc)
    if isinstance(exc, JException):
        return (exc.location if exc.location >= 0 else None), _told(exc)
    for kind, text in _FOREIGN.items():
        if isinstance(exc, kind):
            return None, text
    if isinstance(exc, KeyError) and exc.args and isinstance(exc.args[0], str) and len(exc.args[0]) == 1:
        return None, f"{exc.args[0]} is unexpected"
    return None, UNKNOWN


def _told(exc: JException) -> str:
    code = str(exc.error)
    shown = _worded if code in _PLAIN | _TOKENS else _kind
    if code in _TEXTS:
        values = [shown(exc.current), (_kind if code in ("T2001", "T2002", "T2010") else shown)(exc.expected)]
        return _TEXTS[code].format(*values)
    text = str(JException.error_codes.get(code, "")) or code
    text = re.sub(r":?\s*\{\{+\w+\}\}+", "", text).replace(" Object ", " function ")
    return text[:1].lower() + text[1:]


def _worded(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= 200 else f"{value[:200]}..."
    return _kind(value)


def _kind(value: Any) -> str:
    """A value, in few words."""
    if value is None or type(value).__name__ == "NullValue":
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.15g}" if abs(value) < 1e300 else "a huge number"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else f'"{value[:40]}..."'
    if isinstance(value, list):
        return "an array"
    return "an object" if isinstance(value, dict) else "a function"
