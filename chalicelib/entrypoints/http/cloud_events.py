"""CloudEvents 1.0 over HTTP, in binary and in structured mode.

Sources: CloudEvents 1.0.2, "HTTP Protocol Binding" 3.1 and 3.2, and "JSON Event Format" 3.1.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import unquote

import msgspec

from chalicelib.entrypoints.http.bodies import SignalBody
from chalicelib.entrypoints.http.reading import MAX_TEXT_CHARACTERS, Name, Text, checked, json_of, text_of
from chalicelib.model.json_values import Json, ready
from chalicelib.service.errors import Invalid, Malformed

STRUCTURED: Final = "application/cloudevents+json"

_VERSION: Final = "1.0"
_PREFIX: Final = "ce-"
_OTHER_STRUCTURED: Final = "application/cloudevents"
_ESCAPED: Final = re.compile(r"\\(.)")
_Required = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent. `type` is the name of the event, `subject` its key. `source` and `id` together identify it: the
    same two are the same event. Extension attributes are ignored."""

    specversion: Annotated[str, msgspec.Meta(extra_json_schema={"const": _VERSION})]
    id: _Required
    source: _Required
    type: Name
    subject: Text = ""
    datacontenttype: Text = ""
    data: Json = None
    data_base64: str | None = None

    def as_signal(self) -> SignalBody:
        """Return the event in Echoer's own form. Raises Malformed, Invalid."""
        if self.specversion != _VERSION:
            raise Malformed(f"`specversion` must be {_VERSION!r}, not {self.specversion!r:.60}")
        data = self.data
        if self.data_base64 is not None:
            try:
                data = _content(_decoded(self.data_base64), self.datacontenttype)
            except Malformed as problem:
                raise Invalid(f"`data_base64` does not hold {self.datacontenttype or 'JSON'}: {problem}") from problem
        identity = json.dumps([self.source, self.id], ensure_ascii=False, separators=(",", ":"))
        return SignalBody(name=self.type, key=self.subject, data=data, id=identity)


ready(CloudEvent)


def cloud_event_in(headers: Mapping[str, str], body: bytes) -> SignalBody | None:
    """Return the CloudEvent in a request; None if the request is none. Raises Malformed, Invalid."""
    media = _media_type(headers.get("content-type", ""))
    if media == STRUCTURED:
        return checked(json_of(body), CloudEvent).as_signal()
    if media.startswith(_OTHER_STRUCTURED):
        raise Malformed(f"cannot read {media}: send one CloudEvent as {STRUCTURED}, or in binary mode")
    attributes = {name.lower(): value for name, value in headers.items() if name.lower().startswith(_PREFIX)}
    if f"{_PREFIX}specversion" not in attributes:
        return None
    given = {name.removeprefix(_PREFIX): _attribute(value) for name, value in attributes.items()}
    known = {name: given[name] for name in ("specversion", "id", "source", "type", "subject") if name in given}
    return checked({**known, "data": _content(body, headers.get("content-type", ""))}, CloudEvent).as_signal()


def _attribute(value: str) -> str:
    """Return the value of an attribute in a header: it may be quoted, and percent-encoded (3.1.3.2)."""
    text = value.strip()
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        text = _ESCAPED.sub(r"\1", text[1:-1])
    return unquote(text)


def _content(body: bytes, content_type: str) -> Json:
    """Return data of a media type as a JSON value: JSON as it is, other texts as text. Raises Malformed."""
    media = _media_type(content_type)
    if not body:
        return None
    if not media or media == "application/json" or media.endswith("+json"):
        return json_of(body)
    if media.startswith("text/") or media.endswith("+xml") or media == "application/xml":
        return text_of(body)
    return base64.b64encode(body).decode()


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Invalid("`data_base64` is not base64") from exc
