"""Build the FSL statements that the tests use."""

from __future__ import annotations


def action(name: str, url: str, args: str = "", returns: str = "OK | FAIL", more: str = "") -> str:
    declared = f"args = ({args});" if args else ""
    return f'action {name} addr = "{url}"; {declared} return = ({returns}); {more} action_end'


def flow(name: str, *lines: str) -> str:
    return "\n".join([f"flow {name}", *lines, "flow_end"])


def step(name: str, act: str, routes: str = "OK -> done | FAIL -> stopped", args: str = "", more: str = "") -> str:
    given = f"args = ({args});" if args else ""
    return f"step {name} => ({routes}) {{ action = {act}; {given} {more} }};"
