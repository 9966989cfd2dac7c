#!/usr/bin/env python3
"""Write `fsl/api_calls.py`, the HTTP calls for the client, from the routes: `python -m scripts.api_calls`.

The client cannot import the routes, because they load the whole service and would slow down every start of `fsl`. A
test checks that the file is up to date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.routes import ROUTES

FILE: Final = Path(__file__).parents[1] / "fsl" / "api_calls.py"
MAX_LINE_CHARACTERS: Final = 120
_INDENT: Final = " " * 4

_HEADER: Final = '''"""The HTTP calls of the API, for the client. Generated from the routes; do not edit.

After a change of a route, run `python -m scripts.api_calls`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

_PATH_PARAMETER: Final = re.compile(r"{\\w+}")


class Call(NamedTuple):
    """One HTTP call: its method, its path, and the names of its query parameters."""

    method: str
    path: str
    query: tuple[str, ...] = ()

    def path_of(self, *names: str) -> str:
        """Return the path with these names instead of its parameters. Raises ValueError if their number is wrong."""
        parts = _PATH_PARAMETER.split(self.path)
        if len(names) != len(parts) - 1:
            raise ValueError(f"{self.method} {self.path} takes {len(parts) - 1} names, not {len(names)}")
        return parts[0] + "".join(quote(name, safe="") + part for name, part in zip(names, parts[1:], strict=True))


'''


def content() -> str:
    """Return the content of the file."""
    return _HEADER + "\n".join(_constant(route) for route in ROUTES) + "\n"


def _constant(route: Route) -> str:
    """Return the constant of a call, in the layout of `ruff format`."""
    texts = [f'"{parameter.name}"' for parameter in route.query]
    names = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    arguments = [f'"{route.method}"', f'"{route.path}"', *([names] if texts else [])]
    begin, joined = f"{route.operation_id.upper()}: Final = Call(", ", ".join(arguments)
    if len(f"{begin}{joined})") <= MAX_LINE_CHARACTERS:
        return f"{begin}{joined})"
    if len(f"{_INDENT}{joined}") <= MAX_LINE_CHARACTERS:
        return f"{begin}\n{_INDENT}{joined}\n)"
    if len(f"{_INDENT}{names},") > MAX_LINE_CHARACTERS:
        arguments[-1] = "\n".join(["(", *(f"{_INDENT * 2}{text}," for text in texts), f"{_INDENT})"])
    return "\n".join([begin, *(f"{_INDENT}{argument}," for argument in arguments), ")"])


if __name__ == "__main__":
    FILE.write_text(content(), encoding="utf-8")
