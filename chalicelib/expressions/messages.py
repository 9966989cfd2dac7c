"""What went wrong, in words for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.values import Function, kind, shown_number

if TYPE_CHECKING:
    from chalicelib.expressions.errors import Failure

# {token} is a part of the source, such as an operator or the name of a function; {value} is a value in few words, and
# {text} the same in full where it is text.
_TEXTS: Final = {
    "S0101": "the text has no closing quote",
    "S0102": "the number {token} is out of range",
    "S0103": "\\{token} is not an escape sequence",
    "S0104": "\\u must be followed by 4 hex digits",
    "S0105": "the name has no closing `",
    "S0106": "the comment has no end",
    "S0201": "{token} is unexpected",
    "S0202": "{token} is unexpected, {text} is missing",
    "S0203": "{text} is missing at the end",
    "S0204": "{token} is no operator",
    "S0207": "the expression ends too soon",
    "S0208": "a parameter must be a name that starts with $",
    "S0209": "a filter cannot follow a grouping",
    "S0210": "a step can be grouped only once",
    "S0211": "{token} needs a value before it",
    "S0212": "the left side of := must be a name that starts with $",
    "S0213": "{token} cannot be a step of a path",
    "S0214": "{token} must be followed by a name that starts with $",
    "S0215": "@ must come before the filters of its step",
    "S0216": "@ must come before the order of its step",
    "S0217": "% has no parent here",
    "S0301": "the regular expression is empty",
    "S0302": "the regular expression has no closing /",
    "S0401": "{token} takes no types in < >",
    "S0402": "types in ( ) cannot have types in < >",
    "S0500": "the expression cannot be read",
    "T0410": "argument {text} of ${token} is of the wrong kind or missing",
    "T0411": "argument {text} of ${token} is missing, and the context is of the wrong kind",
    "T0412": "argument {text} of ${token} is an array of the wrong kind",
    "D1001": "a number is out of range",
    "D1002": "- needs a number, not {value}",
    "T1003": "the name of a member must be text, not {value}",
    "D1004": "the regular expression matches no characters",
    "T1005": "{token} is no function; did you mean ${token}?",
    "T1006": "something is called that is no function",
    "T1007": "{token} is no function; did you mean ${token}?",
    "T1008": "something is called that is no function",
    "D1009": "two members have the name {value}",
    "T1010": "the function does not yield matches",
    "T2001": "the left side of {token} must be a number, not {value}",
    "T2002": "the right side of {token} must be a number, not {value}",
    "T2003": "a range must start with a whole number, not {value}",
    "T2004": "a range must end with a whole number, not {value}",
    "T2006": "~> needs a function on its right side",
    "T2007": "texts and numbers cannot be ordered together",
    "T2008": "only texts and numbers can be ordered",
    "T2009": "{token} and {value} cannot be compared",
    "T2010": "{token} compares numbers or texts, not {value}",
    "T2011": "a transform must set the members of an object",
    "T2012": "a transform must delete names of members",
    "D3010": "$replace cannot look for an empty text",
    "D3011": "the limit of $replace must not be negative",
    "D3012": "the replacement of a match must be text",
    "D3020": "the limit of $split must not be negative",
    "D3030": "{value} is not the text of a number",
    "D3040": "the limit of $match must not be negative",
    "D3050": "the function of $reduce needs two parameters",
    "D3060": "{value} has no square root",
    "D3061": "the power is out of range",
    "D3070": "$sort needs a function for anything but numbers or texts",
    "D3080": "the picture has more than two parts",
    "D3081": "a part of the picture has more than one decimal point",
    "D3082": "a part of the picture has more than one percent sign",
    "D3083": "a part of the picture has more than one per-mille sign",
    "D3084": "a part of the picture has both a percent and a per-mille sign",
    "D3085": "a part of the picture has no digit",
    "D3086": "a part of the picture has other characters between its digits",
    "D3087": "a grouping separator is next to the decimal point",
    "D3088": "the whole part of the picture ends with a grouping separator",
    "D3089": "the picture has two grouping separators next to each other",
    "D3090": "the whole part of the picture has a mandatory digit before an optional one",
    "D3091": "the fraction of the picture has an optional digit before a mandatory one",
    "D3092": "the picture has both an exponent and a percent or per-mille sign",
    "D3093": "the exponent of the picture must be digits",
    "D3100": "the radix must be from 2 to 36, not {value}",
    "D3110": "{value} is not a time that ISO 8601 describes",
    "D3130": "the picture {value} cannot be used to write or read whole numbers",
    "D3131": "the picture has digits of two alphabets",
    "D3132": "{value} is not a component of a picture",
    "D3133": "the picture writes the name of what has none",
    "D3134": "the time zone of a picture has at most 4 digits",
    "D3135": "the picture has no closing ]",
    "D3136": "the picture does not determine the moment: it lacks larger units",
    "D3137": "{text}",
    "D3138": "$single found more than one",
    "D3139": "$single found none",
    "D3140": "the text is not Unicode, or not encoded as it should be",
    "D3141": "{text}",
    "L0001": "it takes more than {steps:,} steps",
    "L0002": "a value is nested more than {depth} deep",
    "L0003": "a text, or a value as JSON, would have more than {text_size:,} characters",
    "L0004": "an array or object would have more than {items:,} items",
    "L0005": "it builds more than {space} MB of values",
    "L0006": "this and others evaluated with it take more than {together:,} steps together",
    "L0007": "it takes too long",
    "L0008": "it is nested too deeply, or calls itself without end",
    "L0009": "the regular expressions of this and others are too large together",
    "L0010": "an expression has at most {source:,} characters",
    "L0011": "the expression has too many parts",
    "L0012": "the expression is nested more than {nesting} deep",
    "L0013": "a signature has at most {parameters} parameters",
    "L0014": "a function is applied in part or chained more than {wrapped} times",
    "L0015": "Base64 can encode characters up to U+00FF only",
    "L0016": "the regular expressions are too large together",
    "L0017": "a regular expression has at most {value} groups",
    "L0020": "$partition needs a whole number of items, at least 1, not {value}",
    "L0021": "the step of $range must not be 0",
    "L0022": "$hash knows MD5, SHA-1, SHA-256, SHA-384 and SHA-512, not {value}",
    "L0023": "the text is not JSON: {text}",
    "L0024": "a picture has at most {picture} characters",
    "L0025": "{value} is too large to be written in this form",
    "L0026": "{value} is not a time zone: an offset such as +0100, or a name such as Europe/Berlin",
    "L0027": "the time is out of range",
    "L0028": "the option {token} must be one character",
    "L0029": "{value} is no whole number in the form of the picture",
    "L0030": "a value is needed, and there is nothing",
    "L0031": "a value of type {token} is needed, not {value}",
    "L0032": "{value} is not a type: string, number, boolean, null, array, object, function",
    "L0033": "a picture has widths below {value}",
    "L0040": "regular expression {pattern}: {text}",
    "L0050": "it yields a function, not a value",
    "L0051": "it yields a number that JSON cannot hold",
    "L0052": "a value is not JSON",
    "L0055": "a number is divided by zero",
    "L0053": "it yields text that is not Unicode: half a surrogate pair",
}

_SHOWN: Final = 200
_SHORT: Final = 40


def reason(failure: Failure) -> str:
    """Return the reason of a failure in words."""
    text = _TEXTS.get(failure.code, "it fails")
    if "{" not in text:
        return text
    token = failure.token
    return text.format(
        token=token if isinstance(token, str) and failure.code != "T2009" else shown(token),
        value=shown(failure.value),
        text=failure.value[:_SHOWN] if isinstance(failure.value, str) else shown(failure.value),
        pattern=f"/{token}/" if len(str(token)) <= 60 else f"/{str(token)[:60]}.../",
        **_limits(),
    )


def _limits() -> dict[str, int]:
    from chalicelib.expressions import meter, values
    from chalicelib.expressions.evaluation import calls
    from chalicelib.expressions.syntax import signatures, stream

    return {
        "steps": meter.MAX_STEPS,
        "together": meter.MAX_STEPS_TOGETHER,
        "depth": values.MAX_DEPTH,
        "text_size": meter.MAX_TEXT,
        "items": meter.MAX_ITEMS,
        "space": meter.MAX_SPACE_BYTES // 1_000_000,
        "picture": meter.MAX_PICTURE,
        "source": stream.MAX_SOURCE,
        "nesting": stream.MAX_NESTING,
        "parameters": signatures.MAX_PARAMETERS,
        "wrapped": calls.MAX_WRAPPED,
    }


def shown(value: Any) -> str:
    """Return a value in few words."""
    if value is None:
        return "null"
    if isinstance(value, Function):
        return "a function"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _SHORT else f'"{value[:_SHORT]}..."'
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    letter = kind(value)
    if letter == "n":
        return shown_number(value)
    return {"b": "true" if value else "false"}.get(letter, "nothing")
