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
    names = ", ".join(f'"{parameter.name}"' for parameter in route.query)
    comma = "," if len(route.query) == 1 else ""
    arguments = f'"{route.method}", "{route.path}"' + (f", ({names}{comma})" if names else "")
    line = f"{route.operation_id.upper()}: Final = Call({arguments})"
    if len(line) <= MAX_LINE_CHARACTERS:
        return line
    inner = f"    {arguments}"
    if len(inner) > MAX_LINE_CHARACTERS:
        query = "".join(f'        "{parameter.name}",\n' for parameter in route.query)
        given = f"    ({names}{comma}),"
        query = given if len(given) <= MAX_LINE_CHARACTERS else f"    (\n{query}    ),"
        inner = f'    "{route.method}",\n    "{route.path}",\n{query}'
    return line.replace(f"({arguments})", f"(\n{inner}\n)", 1)


if __name__ == "__main__":
    FILE.write_text(content(), encoding="utf-8")
