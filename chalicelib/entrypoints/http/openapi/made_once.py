"""What is made of the settings once for each process, because making it takes as long as a hundred other requests."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.config import Settings
from chalicelib.model.json_values import Json


class MadeOnce:
    """Remembers what `make` made for the latest settings."""

    def __init__(self, make: Callable[[Settings], Json]) -> None:
        self._make = make
        self._latest: tuple[Settings, Json] | None = None

    def of(self, settings: Settings) -> Json:
        """Return what is made of these settings. It must not be changed."""
        latest = self._latest
        if latest is None or latest[0] is not settings:
            latest = self._latest = (settings, self._make(settings))
        return latest[1]
