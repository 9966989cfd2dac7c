#!/usr/bin/env python3
"""Write the short forms of the table of HTTP calls: `python -m scripts.api_calls`.

The table loads every view. `fsl/api_calls.py` is for the client, `chalicelib/entrypoints/http/calls.py` for the
registration of the calls with Chalice: both start fast because they do not import the table. A test checks that the
files are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from chalicelib.entrypoints.http import routes
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.routes import ROUTES, UNDOCUMENTED

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "fsl" / "api_calls.py"
REGISTERED: Final = ROOT / "chalicelib" / "entrypoints" / "http" / "calls.py"
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


_REGISTERED_HEADER: Final = '''"""The HTTP calls and the modules of their views. Generated from the routes; do not edit.

After a change of a route, run `python -m scripts.api_calls`.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Call(NamedTuple):
    """One HTTP call: its method, its path, and the module that has its `Route`.

    A public call needs no caller; action services make callbacks to answer steps.
    """

    method: str
    path: str
    module: str
    is_public: bool = False
    is_callback: bool = False


CALLS: Final = (
'''


def registered() -> str:
    """Return the content of the file for the registration."""
    modules: dict[int, str] = {}
    for module in (routes, *_modules()):
        for route in module.ROUTES:
            # Of a module that takes over the routes of another one, the other one is loaded: it has the view.
            if modules.get(id(route), routes.__name__) == routes.__name__ or route.view.__module__ == module.__name__:
                modules[id(route)] = module.__name__
    lines = [_registered(route, modules[id(route)]) for route in (*ROUTES, *UNDOCUMENTED)]
    return f"{_REGISTERED_HEADER}{''.join(lines)})\n"


def _modules() -> list[Any]:
    """Return the modules that define routes."""
    found = [module for name, module in sys.modules.items() if name.startswith("chalicelib.entrypoints.http.")]
    return [module for module in found if hasattr(module, "ROUTES") and module is not routes]


def _registered(route: Route, module: str) -> str:
    more = ", is_public=True" if route.is_public else ", is_callback=True" if route.is_callback else ""
    line = f'    Call("{route.method}", "{route.path}", "{module}"{more}),\n'
    if len(line) <= MAX_LINE_CHARACTERS + 1:
        return line
    parts = [f'"{route.method}"', f'"{route.path}"', f'"{module}"', *([more[2:]] if more else [])]
    return "    Call(\n" + "".join(f"        {part},\n" for part in parts) + "    ),\n"


def content() -> str:
    """Return the content of the file for the client."""
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
    REGISTERED.write_text(registered(), encoding="utf-8")
