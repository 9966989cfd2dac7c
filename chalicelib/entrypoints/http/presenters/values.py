"""Values of a run as JSON: large ones as `{"$ref": PATH, "bytes": N, "preview": TEXT}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from chalicelib.model.json_values import Json
from chalicelib.service.runs.large_values import Large
from chalicelib.service.runs.references import MAX_SHOWN_BYTES, key_of, preview_of, value_name
from chalicelib.service.runs.value_places import key_in
from chalicelib.service.runs.value_windows import type_of

MAX_SHORT_BYTES: Final = 1_024
"""How many bytes of JSON a value has at most where values are short."""

_TYPES: Final = {"{": "map", "[": "list"}
"""The types of large values by the first sign of their JSON; others are strings."""


class Values:
    """The values of one run. `large` describes those that are references."""

    def __init__(self, run: str, large: Mapping[str, Large]) -> None:
        self._path = f"/flowrun/{quote(run, safe='')}/value/"
        self._large = large

    def shown(self, value: Json) -> Json:
        """Return the value, or what is shown in its place."""
        key = key_in(value)
        if key is None or key not in self._large:
            return value
        return {"$ref": self._path + value_name(key), **self._large[key]._asdict()}

    def shown_map(self, values: Mapping[str, Json]) -> dict[str, Json]:
        """Return the values by name, each as it is shown."""
        return {name: self.shown(value) for name, value in values.items()}

    def shown_input(self, value: Json) -> Json:
        """Return an input: a value, or values by name."""
        return self.shown_map(value) if isinstance(value, Mapping) and key_in(value) is None else self.shown(value)


class ShortValues(Values):
    """Shows values above MAX_SHORT_BYTES by their type and size only, as `{"$cut": {"type", "bytes"}}`."""

    def shown(self, value: Json) -> Json:
        key = key_in(value)
        if key is not None and key in self._large:
            large = self._large[key]
            return {"$cut": {"type": _TYPES.get(large.preview[:1], "str"), "bytes": large.bytes}}
        size = len(msgspec.json.encode(value))
        return value if size <= MAX_SHORT_BYTES else {"$cut": {"type": type_of(value), "bytes": size}}


class CutValues(Values):
    """Shows large values as references, whether they are references or not."""

    def __init__(self, run: str, large: Mapping[str, Large]) -> None:
        super().__init__(run, large)
        self._run = run

    def shown(self, value: Json) -> Json:
        known = super().shown(value)
        return cut(self._run, value) if known is value else known


def cut(run: str, value: Json) -> Json:
    """Return the value of the run, or a reference in its place if it is large."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    encoded = msgspec.json.encode(value)
    if len(encoded) <= MAX_SHOWN_BYTES:
        return value
    path = f"/flowrun/{quote(run, safe='')}/value/{value_name(key_of(encoded))}"
    return {"$ref": path, "bytes": len(encoded), "preview": preview_of(encoded)}
