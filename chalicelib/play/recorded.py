"""The recorded facts of a run, as they are replayed: its head and its whole history, with secrets masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from msgspec.structs import replace

from chalicelib.engine.events import Target
from chalicelib.engine.values.secret_values import MASK
from chalicelib.hosting.wiring import Services
from chalicelib.model.definition import Definition
from chalicelib.model.flow import Flow
from chalicelib.model.history import Entry
from chalicelib.model.json_values import Json
from chalicelib.model.run import DefinitionRef, Run
from chalicelib.model.templates import ENCRYPTED_KEY
from chalicelib.service.errors import NotFound, ServiceError

MASKED: Final = {ENCRYPTED_KEY: MASK}
"""What a replay has instead of each encrypted value."""

MAX_SECONDS: Final = 5.0
"""How long one play may take, replays included."""

MAX_REPLAYED: Final = 100_000
"""How many entries of a history are replayed at most."""


class CannotReplay(ServiceError):
    """The recorded facts of a run do not suffice to decide it again."""

    code = "cannot-replay"


class Unlike(CannotReplay):
    """Deciding the facts of a run again, with its own definition, gives another run: its history lacks something."""


class PlayTooLong(ServiceError):
    """The play would take too long: it has too many moves, or the flow goes round in circles."""

    code = "too-long"


class MaskCipher:
    """Implements `Cipher` without a key. `was_read` says whether anything was decrypted since it was set to False."""

    def __init__(self) -> None:
        self.was_read = False

    def encrypt(self, _value: Json, /) -> str:
        return MASK

    def decrypt(self, _text: str, /) -> Json:
        self.was_read = True
        return MASK

    def secret(self, _name: str) -> Json:
        self.was_read = True
        return MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A run, its definition, and its history from the first entry on. No value is encrypted by a real key."""

    run: Run
    definition: Definition
    """That with which it was started. It moved to another one where the history says so."""
    ref: DefinitionRef
    own_flow: Flow | None
    """The flow that belongs to this run alone, if it has one."""
    entries: tuple[Entry, ...]
    version: Callable[[int], Target]
    """Returns a version of its flow to which it moved. Raises CannotReplay."""


def recorded(lender: Services, namespace: str, name: str) -> Recorded:
    """Return what is recorded of a run. Raises NotFound, PlayTooLong, CannotReplay."""
    run = lender.reader.run(namespace, name)
    if run.seq > MAX_REPLAYED:
        raise PlayTooLong(
            f"the history of run {name!r} has {run.seq} entries; {MAX_REPLAYED} are the limit of a replay"
        )
    entries = lender.reader.history(namespace, name, 0, MAX_REPLAYED)[: run.seq]
    if [entry.seq for entry in entries] != list(range(1, run.seq + 1)):
        first = entries[0].seq if entries else run.seq + 1
        raise CannotReplay(f"the history of run {name!r} is not stored as a whole: it begins with entry {first}")
    moved = next((entry for entry in entries if entry.event == "VersionChanged"), None)
    try:
        if moved is None:
            definition, ref = lender.definition_cache.of(run), run.definition
        else:
            definition, ref = lender.definition_cache.of_version(run, moved.data["from"])
    except NotFound as missing:
        raise CannotReplay(f"the definition of run {name!r} is not stored any more: {missing}") from missing
    return Recorded(
        run=_masked_run(run),
        definition=definition,
        ref=ref,
        own_flow=None if run.definition.flow else lender.runs.own_flow(run),
        entries=tuple(_masked_entry(entry) for entry in entries),
        version=partial(_version, lender, run),
    )


def _version(lender: Services, run: Run, version: int) -> Target:
    """Return the version of the run's flow: with the actions of the run if it is in it, or else with the newest."""
    try:
        if version == run.definition.version:
            return Target(ref=run.definition, definition=lender.definition_cache.of(run))
        definition, ref = lender.definition_cache.of_version(run, version)
    except NotFound as missing:
        raise CannotReplay(f"version {version} of the flow of run {run.name!r} is not stored any more") from missing
    return Target(ref=ref, definition=definition)


def masked_values(value: Json) -> Json:
    """Return the value with `MASKED` in the place of everything that is encrypted."""
    if isinstance(value, Mapping):
        return MASKED if value.keys() == {ENCRYPTED_KEY} else {key: masked_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked_values(one) for one in value]
    return value


def _masked_entry(entry: Entry) -> Entry:
    returned = entry.returned
    if returned is not None:
        returned = replace(returned, data=masked_values(returned.data))
    return replace(
        entry,
        data=masked_values(entry.data),
        vars=masked_values(entry.vars),
        returned=returned,
        response=masked_values(entry.response),
    )


def _masked_run(run: Run) -> Run:
    return replace(run, input=masked_values(run.input), vars=masked_values(run.vars), output=masked_values(run.output))
