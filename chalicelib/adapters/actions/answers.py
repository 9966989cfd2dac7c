"""The body of a response to a delivery, which may be an answer of the action (docs/http-api.md, 1).

A body that cannot be read looks like an answer if the response says that it is JSON, or if the part that was received
has `"ackState"` in it. The step then records why it was ignored.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

import msgspec

from chalicelib.service.ports.actions import MAX_ANSWER_BYTES, Taken

_JSON_TYPE: Final = re.compile(r"\s*application/([\w.-]+\+)?json\s*(;|$)", re.IGNORECASE)
_ACK_STATE: Final = b'"ackState"'


def taken(body: bytes, content_type: str, *, broken_off: bool) -> Taken:
    """Return the reply to a delivery that was accepted. `body` has at most one byte more than MAX_ANSWER_BYTES.

    `broken_off`: the connection ended, or the time was over, before the whole body was received.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    looks_like_answer = _ACK_STATE in text or (bool(text.strip()) and _JSON_TYPE.match(content_type) is not None)
    if len(body) > MAX_ANSWER_BYTES:
        problem = f"it is larger than {MAX_ANSWER_BYTES} bytes"
    elif broken_off:
        problem = "it broke off before its end"
    else:
        try:  # msgspec, as in the stores: it refuses NaN and half surrogates, which could not be stored
            answer = msgspec.json.decode(text)
        except RecursionError:
            problem = "it is nested too deeply"
        except ValueError as exc:
            problem = f"it is not JSON: {exc}"
        else:
            return Taken(answer if isinstance(answer, dict) else None)
    return Taken(None, problem if looks_like_answer else "")
