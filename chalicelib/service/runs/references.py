"""Replace large values in heads and history pages by references to blobs, and back. Pure.

A single large value becomes a blob of its own. A head or page that is large because it has many small values (thousands
of variables, a transition through thousands of steps) is offloaded as a whole: the fields that grow become blobs, and
its tail becomes one entry with the references.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.engine.values.secret_values import MARK, masked
from chalicelib.model import formats
from chalicelib.model.history import Entries, Entry, Page, encode_page
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token, encode
from chalicelib.model.waits import REFERENCE_KEY, decode_hook
from chalicelib.service.runs.value_places import in_entries, in_run, key_in

MAX_INLINE_BYTES: Final = 4 * 1024
"""The largest value, in bytes of JSON, that stays in the head."""

MAX_HEAD_BYTES: Final = 128 * 1024
"""The largest head or history page that is stored inline. A DynamoDB item has at most 400 KB."""

OFFLOADED: Final = "\0folded"
"""The event of the only entry in the tail of an offloaded head or page. Of a head it also has the step of the first
token (`step`) and the number of tokens (`rule`), which lists show."""

MAX_SHOWN_BYTES: Final = 16 * 1024
"""The largest value, in bytes of JSON, that responses about runs contain. Larger ones have a preview."""

PREVIEW_CHARACTERS: Final = 120
"""How many characters of its JSON text the preview of a value has."""

_VALUE: Final = "value/"
_PREVIEW: Final = "preview/"

_FIELDS: Final = ("df", "tk", "in", "vr", "un", "it", "nt", "hd", "fs", "tl")
"""The encoded names of the fields that grow with a run. Labels are bounded, and stores read them."""

_REFERENCE_JSON: Final = msgspec.json.encode(REFERENCE_KEY)

_MAX_PLAIN_TEXT: Final = (MAX_INLINE_BYTES - 2) // 6
"""The longest text that is small whatever its characters are: one has at most 6 bytes of JSON."""

_NAMES: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Run)}
_TYPES: Final = {field.encode_name: field.type for field in msgspec.structs.fields(Run)}

KeyOf: TypeAlias = Callable[[Json], str | None]
"""Returns the key of the blob that a value was read from; None if that is not known."""


class OffloadedHead(msgspec.Struct, frozen=True):
    """A head as it is stored, its JSON, and the blobs to write before it."""

    run: Run
    body: bytes
    blobs: Mapping[str, bytes]


def offload_head(run: Run, body: bytes = b"", known: KeyOf | None = None) -> OffloadedHead:
    """Replace what is large in the head by references. `body` is `encode(run)` if the caller has it.

    A small head is encoded once, and its values are not encoded again. `known` is given if values of the run were read
    from blobs: such a value becomes its reference again, without being encoded.
    """
    if body or known is None:
        body = body or encode(run)
        if len(body) <= MAX_INLINE_BYTES and _REFERENCE_JSON not in body:
            return OffloadedHead(run, body, {})
    offload = _Offload(known)
    thin = in_run(run, offload)
    if thin is not run or not body:
        body = encode(thin)
    if len(body) > MAX_HEAD_BYTES:
        thin = _offload_fields(thin, offload)
        body = encode(thin)
    return OffloadedHead(thin, body, offload.blobs)


def stored_body(run: Run) -> bytes:
    """Return the JSON of the head as it is stored. `run` may have values or references to them."""
    offload = _Offload()
    thin = in_run(run, lambda value: offload(value) if key_in(value) is None else value)
    body = encode(thin)
    return body if len(body) <= MAX_HEAD_BYTES else encode(_offload_fields(thin, offload))


def offload_page(page: Page, known: KeyOf | None = None) -> tuple[Page, Mapping[str, bytes]]:
    """Replace what is large in the page by references; return the blobs to write before it, too.

    `known` is as for `offload_head`.
    """
    offload = _Offload(known)
    thin = Page(stored=in_entries(page.stored, offload))
    if len(encode_page(thin)) > MAX_HEAD_BYTES:
        thin = Page(stored=_offloaded_tail(page.last, {"tl": msgspec.to_builtins(thin.stored)}, offload))
    return thin, offload.blobs


def key_of(encoded: bytes) -> str:
    """Return the key of the blob with this content. It ends in the number of bytes, which lists show."""
    return f"{_VALUE}{hashlib.sha256(encoded).hexdigest()[:32]}-{len(encoded)}"


def size_in(key: str) -> int | None:
    """Return the number of bytes of the blob with this key; None if an earlier version of Echoer made the key."""
    _, dash, size = key.removeprefix(_VALUE).partition("-")
    return int(size) if dash and size.isdecimal() else None


def value_name(key: str) -> str:
    """Return the name of a value in the path of the call that reads it."""
    return key.removeprefix(_VALUE)


def key_named(name: str) -> str:
    """Return the key of the blob of the value with this name in a path."""
    return _VALUE + name


def preview_key(key: str) -> str:
    """Return the key of the preview of the blob with that key."""
    return _PREVIEW + key.removeprefix(_VALUE)


def preview_of(encoded: bytes) -> str:
    """Return the beginning of an encoded value as JSON text, with secrets masked."""
    if MARK in encoded:
        encoded = msgspec.json.encode(masked(msgspec.json.decode(encoded)))
    return encoded[: 4 * PREVIEW_CHARACTERS].decode(errors="ignore")[:PREVIEW_CHARACTERS]


class References:
    """Collects the keys of references, and changes nothing."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def __call__(self, value: Json) -> Json:
        key = key_in(value)
        if key is not None:
            self.keys.add(key)
        return value


def offloaded_fields(tail: Entries) -> Mapping[str, Json]:
    """Return the references to the offloaded fields, by encoded name; empty if the tail is not offloaded."""
    data = tail.entries[0].data if len(tail.items) == 1 and tail.entries[0].event == OFFLOADED else {}
    return {name: value for name, value in data.items() if name != formats.MEMBER}


def format_of(tail: Entries) -> int:
    """Return the format in which the fields of an offloaded tail were stored."""
    return int(tail.entries[0].data.get(formats.MEMBER, 1))


def field_values(stored: Mapping[str, Json], stored_format: int) -> dict[str, Any]:
    """Convert the values of fields by encoded name, in a format, into those of a Run by field name."""
    values = formats.HEAD.upgrade(dict(stored), stored_format)
    return {_NAMES[name]: msgspec.convert(value, _TYPES[name], dec_hook=decode_hook) for name, value in values.items()}


class _Offload:
    """Replaces large values by references, and collects the blobs by key that are not known to be stored."""

    def __init__(self, known: KeyOf | None = None) -> None:
        self._known = known
        self.blobs: dict[str, bytes] = {}

    def __call__(self, value: Json) -> Json:
        if type(value) is str and len(value) <= _MAX_PLAIN_TEXT:
            return value
        key = self._known(value) if self._known is not None else None
        if key is not None:
            return {REFERENCE_KEY: key}
        encoded = msgspec.json.encode(value)
        if len(encoded) <= MAX_INLINE_BYTES and key_in(value) is None:
            return value
        return self.put(encoded)

    def put(self, encoded: bytes) -> Json:
        """Make a blob of an encoded value, and one of its preview if it is large. Return the reference to the value."""
        reference = self.put_field(encoded)
        if len(encoded) > MAX_SHOWN_BYTES:
            self.blobs[preview_key(key_of(encoded))] = msgspec.json.encode(preview_of(encoded))
        return reference

    def put_field(self, encoded: bytes) -> Json:
        """Make a blob of an encoded field of a head, and return the reference to it."""
        key = key_of(encoded)
        self.blobs[key] = encoded
        return {REFERENCE_KEY: key}


def _offload_fields(run: Run, offload: _Offload) -> Run:
    """Return the head with the fields that grow replaced by one tail entry that refers to their blobs."""
    fields = {name: value for name, value in msgspec.to_builtins(run).items() if name in _FIELDS}
    return replace(
        run,
        definition=replace(run.definition, actions={}),
        tokens=(),
        input={},
        vars={},
        undos=(),
        interrupted=(),
        notices=(),
        received={},
        former_steps={},
        stored_tail=_offloaded_tail(run.seq, fields, offload, run.tokens),
    )


def _offloaded_tail(seq: int, fields: Mapping[str, Json], offload: _Offload, tokens: Sequence[Token] = ()) -> Entries:
    """Return the tail of an offloaded head or page. Its number is that of the last entry it replaces."""
    data: dict[str, Json] = {name: offload.put_field(msgspec.json.encode(value)) for name, value in fields.items()}
    if formats.HEAD.current > 1:
        data[formats.MEMBER] = formats.HEAD.current
    step = tokens[0].step if tokens else ""
    return Entries.of((Entry(seq=seq, at=0, event=OFFLOADED, step=step, rule=len(tokens) or None, data=data),))
