"""The options and errors of commands that talk to a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from chalicelib.model.errors import EchoerError
from fsl.cli.common import json_option, put, say, utc_option, wants_json
from fsl.client import URL, Client, Refused, Unreachable

_F = TypeVar("_F", bound=Callable[..., Any])

EXIT_REFUSED: Final = 1
EXIT_UNREACHABLE: Final = 3
EXIT_NOT_ENDED: Final = 4
"""The time to wait is over, and the run has not ended."""


_NAMESPACE: Final = "fsl.namespace"


def remote(command: _F) -> _F:
    """Add `--server` and `--namespace`, passed to the command as `client`, and `--utc` and `--json`."""

    def connect(ctx: click.Context, _option: click.Parameter, url: str) -> Client:
        if not url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{url!r} is not a URL; use one such as {URL}")
        return Client(url, os.environ.get("ECHOER_TOKEN"), ctx.meta.get(_NAMESPACE))

    def remember(ctx: click.Context, _option: click.Parameter, name: str | None) -> None:
        ctx.meta[_NAMESPACE] = name

    server = click.option(
        "--server",
        "client",
        metavar="URL",
        envvar="ECHOER_URL",
        default=URL,
        show_default=True,
        callback=connect,
        help="The server to use; the default is ECHOER_URL. ECHOER_TOKEN is sent as a bearer token.",
    )
    namespace = click.option(
        "--namespace",
        metavar="NAME",
        envvar="ECHOER_NAMESPACE",
        is_eager=True,
        expose_value=False,
        callback=remember,
        help="A namespace other than that of the token; the default is ECHOER_NAMESPACE.",
    )
    return server(namespace(utc_option(json_option(command))))


def exit_code_of(error: EchoerError) -> int | None:
    """Print an error of the client and return the exit code; None if the error is another one.

    With `--json` the error is printed as JSON on standard output too.
    """
    match error:
        case Unreachable():
            code = EXIT_UNREACHABLE
        case Refused():
            code = EXIT_REFUSED
        case _:
            return None
    if wants_json():
        put(error.as_json())
    say(f"error: {error}", "red", err=True, lines=True)
    return code
