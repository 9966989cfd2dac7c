"""Functions that encode and decode texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chalicelib.expressions.errors import Failure
from chalicelib.expressions.values import NOTHING

if TYPE_CHECKING:
    from chalicelib.expressions.evaluation.evaluator import Machine

_UNRESERVED: Final = "A-Za-z0-9\\-_.!~*'()"
_RESERVED: Final = ";/?:@&=+$,#"
_IN_COMPONENT: Final = re.compile(f"[^{_UNRESERVED}]".encode())
_IN_URL: Final = re.compile(f"[^{_UNRESERVED}{_RESERVED}]".encode())
_ENCODED: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")


def base64_encode(m: Machine, text: Any = NOTHING) -> Any:
    """Return the Base64 of a text of characters up to U+00FF, one byte each."""
    if text is NOTHING:
        return NOTHING
    from binascii import b2a_base64

    m.meter.text(2 * len(text))
    try:
        return b2a_base64(text.encode("latin-1"), newline=False).decode()
    except UnicodeEncodeError:
        raise Failure("L0015") from None


def base64_decode(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text that Base64 encodes, one character for each byte."""
    if text is NOTHING:
        return NOTHING
    from binascii import a2b_base64

    m.meter.text(3 * len(text))
    figures = _BASE64.sub("", text.partition("=")[0].replace("-", "+").replace("_", "/"))
    if len(figures) % 4 == 1:
        figures = figures[:-1]
    return a2b_base64(figures + "=" * (-len(figures) % 4)).decode("latin-1")


def encode_url_component(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text as a part of a URL."""
    return _encoded(m, text, _IN_COMPONENT)


def encode_url(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text as a URL; its reserved characters are left as they are."""
    return _encoded(m, text, _IN_URL)


def decode_url_component(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text that a part of a URL encodes."""
    return _decoded(m, text, "")


def decode_url(m: Machine, text: Any = NOTHING) -> Any:
    """Return the text that a URL encodes; encoded reserved characters are left as they are."""
    return _decoded(m, text, _RESERVED)


def _encoded(m: Machine, text: Any, escaped: re.Pattern[bytes]) -> Any:
    if text is NOTHING:
        return NOTHING
    m.meter.text(12 * len(text))
    m.meter.spend(len(text) // (4 if text.isascii() else 1))
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Failure("D3140", value=text) from None
    return escaped.sub(lambda found: b"%%%02X" % found[0][0], data).decode()


def _decoded(m: Machine, text: Any, retained: str) -> Any:
    if text is NOTHING:
        return NOTHING
    m.meter.text(4 * len(text))
    m.meter.spend(len(text) // 8 + text.count("%"))
    if "%" in _ENCODED.sub("", text):
        raise Failure("D3140", value=text)

    def replaced(found: re.Match[str]) -> str:
        try:
            decoded = bytes.fromhex(found[0].replace("%", "")).decode()
        except UnicodeDecodeError:
            raise Failure("D3140", value=text) from None
        return "".join([f"%{ord(char):02X}" if char in retained else char for char in decoded])

    return _ENCODED.sub(replaced, text)
