"""Finding the route of a path, as API Gateway does."""

from __future__ import annotations

from collections.abc import Iterable


class _Part:
    """What the parts of paths lead to that begin alike."""

    def __init__(self) -> None:
        self.fixed: dict[str, _Part] = {}
        self.parameter: _Part | None = None
        self.resource: str | None = None


class Routes:
    """Finds the route of a path. A fixed part of a path takes precedence over a parameter."""

    def __init__(self, resources: Iterable[str]) -> None:
        self._root = _Part()
        self._names: dict[str, list[tuple[int, str]]] = {}
        """Resource -> place and name of each parameter."""
        for resource in resources:
            part, parts = self._root, resource.strip("/").split("/")
            for text in parts:
                if text.startswith("{"):
                    part.parameter = part.parameter or _Part()
                    part = part.parameter
                else:
                    part = part.fixed.setdefault(text, _Part())
            part.resource = resource
            self._names[resource] = [(place, text[1:-1]) for place, text in enumerate(parts) if text.startswith("{")]

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the route and its parameters, still percent-encoded, or None."""
        parts = path.strip("/").split("/")
        resource = _resource(self._root, parts, 0)
        return None if resource is None else (resource, {name: parts[place] for place, name in self._names[resource]})


def _resource(part: _Part, parts: list[str], place: int) -> str | None:
    if place == len(parts):
        return part.resource
    text = parts[place]
    found = _resource(part.fixed[text], parts, place + 1) if text in part.fixed else None
    if found is None and text and part.parameter:
        found = _resource(part.parameter, parts, place + 1)
    return found
