"""Formats of stored values, and the upgrades that turn older values into current ones.

Every value that a store or a queue keeps as a JSON object has a format, a number that counts from 1. It is the member
`f` of the object; without that member the format is 1. A value is upgraded when it is decoded, and has the current
format when it is next saved. Values of a newer format are refused, since reading them could lose data.

To change how a kind of value is stored, append an upgrade to its entry below. An upgrade is a function from the JSON
object of one format to the JSON object of the next. It must accept objects in which members are absent: members that
hold their defaults are not stored, and the members of a large head are stored as blobs (`service/runs/offloading.py`),
which are upgraded as a head with these members only. Member values that are themselves blobs appear as references.

The layout of DynamoDB items (`adapters/dynamodb/items.py`) and the schema of the SQLite file
(`adapters/sqlite/migrations.py`) have numbers of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from chalicelib.model.errors import EchoerError
from chalicelib.model.packing import packed_entries

Upgrade: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

MEMBER: Final = "f"
"""The name of the member that holds the format."""

_T = TypeVar("_T")


class NewerFormat(EchoerError):
    """A stored value was written by a newer version of Echoer."""

    code = "newer-format"

    def __init__(self, kind: str, found: int, current: int) -> None:
        super().__init__(
            f"cannot read a {kind} of format {found}: this version of Echoer reads formats up to {current}; "
            "install the version that wrote it, or a newer one"
        )


class _Header(msgspec.Struct, frozen=True):
    """The member of a stored value that holds its format."""

    format: int = msgspec.field(name=MEMBER, default=1)


_HEADER: Final = msgspec.json.Decoder(_Header)  # made here: see json_values.ready


class Format:
    """The current format of one kind of value. `upgrades[0]` leads from format 1 to 2, and so on."""

    def __init__(self, kind: str, upgrades: tuple[Upgrade, ...] = ()) -> None:
        self.kind = kind
        self.current = len(upgrades) + 1
        self._upgrades = upgrades
        self._end = f',"{MEMBER}":{self.current}}}'
        self._end_bytes = self._end.encode()
        """How `encode` ends an object, if the format is not the first."""
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def encode(self, value: msgspec.Struct) -> bytes:
        """Return the value as a JSON object in the current format."""
        text = msgspec.json.encode(value)
        if self.current == 1:
            return text
        return text[:-1] + (self._end_bytes[1:] if text == b"{}" else self._end_bytes)

    def decode(self, data: bytes | str, kind: type[_T], decoder: msgspec.json.Decoder[_T] | None = None) -> _T:
        """Return the value in a JSON object of this or an earlier format. `decoder` replaces msgspec's default one.

        Raises NewerFormat for a later one, and msgspec.DecodeError if the JSON holds no such value.
        """
        is_current = data.endswith(self._end_bytes) if isinstance(data, bytes) else data.endswith(self._end)
        written = self.current if is_current else _HEADER.decode(data).format
        if written != self.current:
            data = msgspec.json.encode(self.upgrade(msgspec.json.decode(data, type=dict[str, Any]), written))
        return (decoder or self._decoder(kind)).decode(data)

    def _decoder(self, kind: type[_T]) -> msgspec.json.Decoder[_T]:
        """Return the decoder of the type, which is kept: making one for a union of types takes 20 microseconds."""
        found = self._decoders.get(kind)
        if found is None:
            found = self._decoders[kind] = msgspec.json.Decoder(kind)
        return found

    def upgrade(self, members: dict[str, Any], written: int) -> dict[str, Any]:
        """Return the members of an object of format `written` as the current format has them. Raises NewerFormat."""
        if written == self.current:
            return members
        if not 1 <= written <= self.current:
            raise NewerFormat(self.kind, written, self.current)
        members = {name: value for name, value in members.items() if name != MEMBER}
        for upgrade in self._upgrades[written - 1 :]:
            members = upgrade(members)
        return members


def _with_packed(name: str) -> Upgrade:
    """Return an upgrade that packs history entries (`model.packing`), which were objects before."""

    def upgrade(members: dict[str, Any]) -> dict[str, Any]:
        return {**members, name: packed_entries(members[name])} if members.get(name) else members

    return upgrade


def _with_short_event(members: dict[str, Any]) -> dict[str, Any]:
    """Return a head with the short form of its last event, or the name of a run that begins with `_` would pass for
    one: before, a step's was always `NAME_STEP_STATE`."""
    start = f"{members.get('nm', '')}_{members.get('ls', '')}"
    event = members.get("le", "")
    return {**members, "le": event.removeprefix(start)} if event.startswith(f"{start}_") else members


def _packed_head(members: dict[str, Any]) -> dict[str, Any]:
    return _with_short_event(_with_packed("tl")(members))


def _with_held_deliveries(members: dict[str, Any]) -> dict[str, Any]:
    """Nothing changes. But versions that do not know `Activation.held_by` must not read later heads: they would drop
    the message that asks for a delivery. And versions that do not know `Run.token_groups` would lose tokens."""
    return members


HEAD: Final = Format("head of a flow_run", (_packed_head, _with_held_deliveries))
PAGE: Final = Format("history page", (_with_packed("entries"),))
UNDO_PAGE: Final = Format("page of pending undos")
CHECKED: Final = Format("checked definition")
"""Flows and actions as the engine uses them; runs that bring their own steps store a flow, too."""
DEFINITION: Final = Format("definition")
SIGNAL: Final = Format("event")
SUBSCRIPTION: Final = Format("subscription")
TASK: Final = Format("task")
SCHEDULE: Final = Format("schedule")
"""How far a schedule has come."""
WAITER: Final = Format("waiter")
DELIVERY: Final = Format("delivery")
BATCH: Final = Format("batch")
CHUNK: Final = Format("chunk of a batch")
TOKEN: Final = Format("token")
MESSAGE: Final = Format("message")
