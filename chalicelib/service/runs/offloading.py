"""Heads stay small: what is large in a run lies beside it, under its content's hash, and the head keeps a reference.

`OffloadingRunStore` wraps a RunStore and hides this: runs go in and come out whole. What is written
beside a head is written before it, and never changes, so a crash leaves at worst something that nobody refers to.

What is large in one place lies beside by itself. Where much is small and makes a head large all the same (thousands of
variables, a move through thousands of steps), whole fields of the head lie beside it: it is folded. Its history's tail
then is one entry, which says where these are. So is a page of the history with too many entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from chalicelib.model import formats
from chalicelib.model.flow import Flow
from chalicelib.model.history import Entry, Page, encode_page
from chalicelib.model.json_values import Json
from chalicelib.model.run import Run, Token, encode
from chalicelib.model.times import Instant
from chalicelib.model.waits import REFERENCE_KEY, decode_hook, wait_from_json, wait_to_json
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.runs import DueTimer, Listing, NewRun, RunQuery, RunStore
from chalicelib.service.runs.blobs import BlobCache

LARGE: Final = 4 * 1024
"""From how many bytes of JSON on a value lies beside the head."""

HEAD: Final = 128 * 1024
"""From how many bytes of JSON on a head, or a page of the history, is folded. DynamoDB takes items of 400 KB."""

OFFLOADED: Final = "\0folded"
"""What the one entry is called in the tail of what is folded."""

_FIELDS: Final = ("df", "tk", "in", "vr", "un", "hd", "tl")
"""Fields of a head, as it is written, that grow with what a run does. Labels are bounded, and stores look at them."""

_Change: TypeAlias = Callable[[Json], Json]

_NAMES: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Run)}
_TYPES: Final = {field.encode_name: field.type for field in msgspec.structs.fields(Run)}


class OffloadingRunStore:
    """Implements `ports.RunStore` on another one."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs
        self._cache = BlobCache()

    def create(self, new: NewRun) -> None:
        self._runs.create(self.thin_new(new))

    def load(self, namespace: str, name: str) -> Run | None:
        run = self._runs.load(namespace, name)
        return self._whole(run) if run else None

    def head(self, namespace: str, name: str) -> Run | None:
        """The run with all its fields, but with references where large values are: these are not read."""
        run = self._runs.load(namespace, name)
        return replace(run, **self._restored_fields(run, run.tail)) if run else None

    def own_flow(self, run: Run) -> Flow:
        return self._runs.own_flow(run)

    def put_page(self, run: Run, page: Page) -> None:
        put_outside = _Outside()
        thin = Page(entries=tuple(_in_entry(entry, put_outside) for entry in page.entries))
        if len(encode_page(thin)) > HEAD:
            thin = Page(entries=_offloaded_tail(page.last, {"tl": msgspec.to_builtins(thin.entries)}, put_outside))
        if put_outside.values:
            self._runs.put_blobs(run, put_outside.values)
        self._runs.put_page(run, thin)

    def pages(self, run: Run, after: int) -> Iterator[Page]:
        for written in self._runs.pages(run, after):
            page = Page(entries=self._restored_fields(run, written.entries).get("tail", written.entries))
            note = _References()
            for entry in page.entries:
                _in_entry(entry, note)
            bring_back = self._bring_back(run, note)
            yield Page(entries=tuple(_in_entry(entry, bring_back) for entry in page.entries)) if note.keys else page

    def put_blobs(self, run: Run, values: Mapping[str, bytes]) -> None:
        self._runs.put_blobs(run, values)

    def blobs(self, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """Return these blobs. Each is read from the store once, as long as it is cached."""
        wanted = set(keys)
        found = {key: cached for key in wanted if (cached := self._cache.get(run.id, key)) is not None}
        missing = wanted - found.keys()
        if missing:
            read = self._runs.blobs(run, missing)
            for key, value in read.items():
                self._cache.put(run.id, key, value)
            found.update(read)
        return found

    def save(self, run: Run, seen: int) -> None:
        self._runs.save(self.thin(run), seen)

    def delete(self, run: Run) -> None:
        self._runs.delete(run)

    def list(self, namespace: str, query: RunQuery) -> Listing:
        listing = self._runs.list(namespace, query)
        return Listing(tuple(self._whole(run) for run in listing.runs), listing.cursor)

    def changed(self, namespace: str, since: Instant, limit: int) -> Sequence[Run]:
        return [self._whole(run) for run in self._runs.changed(namespace, since, limit)]

    def due(self, until: Instant, limit: int) -> Sequence[DueTimer]:
        return self._runs.due(until, limit)

    def thin_new(self, new: NewRun) -> NewRun:
        """The new run as its head is written."""
        return NewRun(self.thin(new.run), new.own)

    def thin(self, run: Run) -> Run:
        """The run as its head is written: what is large in it lies beside it already."""
        put_outside = _Outside()
        thin = _in_run(run, put_outside)
        if len(encode(thin)) > HEAD:
            thin = _offload_fields(thin, put_outside)
        if not put_outside.values:
            return run
        self._runs.put_blobs(run, put_outside.values)
        return thin

    def _whole(self, written: Run) -> Run:
        run, note = replace(written, **self._restored_fields(written, written.tail)), _References()
        _in_run(run, note)
        return _in_run(run, self._bring_back(run, note)) if note.keys else run

    def _restored_fields(self, run: Run, tail: Sequence[Entry]) -> dict[str, Any]:
        """The fields that lie beside, by their names in a Run, if the tail says that it is folded."""
        if not tail or tail[0].event != OFFLOADED:
            return {}
        note = _References()
        written = tail[0].data.get(formats.MEMBER, 1)
        references = {name: value for name, value in tail[0].data.items() if name != formats.MEMBER}
        for reference in references.values():
            note(reference)
        bring_back = self._bring_back(run, note)
        fields = formats.HEAD.upgrade({name: bring_back(one) for name, one in references.items()}, written)
        return {
            _NAMES[name]: msgspec.convert(value, _TYPES[name], dec_hook=decode_hook) for name, value in fields.items()
        }

    def _bring_back(self, run: Run, note: _References) -> _Change:
        """Puts values in the place of references to them."""
        found = self.blobs(run, note.keys)

        def bring(value: Json) -> Json:
            key = _referred(value)
            if key is None:
                return value
            if key not in found:
                raise ServiceError(f"run {run.name!r} has lost a value that lay beside its head ({key})")
            return msgspec.json.decode(found[key])

        return bring


class _Outside:
    """Puts references in the place of large values, and collects these by key."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def __call__(self, value: Json) -> Json:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        encoded = msgspec.json.encode(value)
        if len(encoded) <= LARGE and _referred(value) is None:
            return value
        return self.put(encoded)

    def put(self, encoded: bytes) -> Json:
        """A reference to that value, which is to lie outside."""
        key = f"value/{hashlib.sha256(encoded).hexdigest()[:32]}"
        self.values[key] = encoded
        return {REFERENCE_KEY: key}


class _References:
    """Notes the keys that are referred to, and changes nothing."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def __call__(self, value: Json) -> Json:
        key = _referred(value)
        if key is not None:
            self.keys.add(key)
        return value


def _referred(value: Json) -> str | None:
    """The key in a reference; None for any other value."""
    if isinstance(value, Mapping) and value.keys() == {REFERENCE_KEY}:
        return str(value[REFERENCE_KEY])
    return None


def _in_run(run: Run, change: _Change) -> Run:
    """The run with every value in it that may be large changed."""
    return replace(
        run,
        input=_in_values(run.input, change),
        vars=_in_values(run.vars, change),
        output=change(run.output),
        tokens=tuple(_in_token(token, change) for token in run.tokens),
        undos=tuple(replace(undo, args=_in_values(undo.args, change)) for undo in run.undos),
        tail=tuple(_in_entry(entry, change) for entry in run.tail),
    )


def _offload_fields(run: Run, put_outside: _Outside) -> Run:
    """The head with the fields beside it that grow."""
    fields = {name: value for name, value in msgspec.to_builtins(run).items() if name in _FIELDS}
    return replace(
        run,
        definition=replace(run.definition, actions={}),
        tokens=(),
        input={},
        vars={},
        undos=(),
        received={},
        tail=_offloaded_tail(run.seq, fields, put_outside),
    )


def _offloaded_tail(seq: int, fields: Mapping[str, Json], put_outside: _Outside) -> tuple[Entry, ...]:
    """The tail of what is folded. It says as a whole one does which number comes next."""
    data: dict[str, Json] = {name: put_outside.put(msgspec.json.encode(value)) for name, value in fields.items()}
    if formats.HEAD.current > 1:
        data[formats.MEMBER] = formats.HEAD.current
    return (Entry(seq=seq, at=0, event=OFFLOADED, data=data),)


def _in_token(token: Token, change: _Change) -> Token:
    activation = token.activation
    if activation is not None:
        wait = activation.wait
        wait = None if wait is None else wait_from_json(change(wait_to_json(wait)))
        activation = replace(activation, data=change(activation.data), wait=wait)
    return replace(token, activation=activation, result=change(token.result))


def _in_entry(entry: Entry, change: _Change) -> Entry:
    return replace(entry, data=change(entry.data), vars=_in_values(entry.vars, change))


def _in_values(values: Mapping[str, Json], change: _Change) -> dict[str, Json]:
    return {name: change(value) for name, value in values.items()}
