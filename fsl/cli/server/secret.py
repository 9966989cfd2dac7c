"""`fsl secret set`, `list`, `delete`: the secrets that actions refer to (`secret "NAME"`)."""

from __future__ import annotations

import sys

import click

from fsl import api_calls
from fsl.cli.common import put, say, short_time, table
from fsl.cli.remote import remote
from fsl.client import Client, Resource


@click.group(no_args_is_help=True)
def secret() -> None:
    """Set, list and delete the secrets of a namespace.

    Actions read a secret with `secret "NAME"`.

    \b
    fsl secret set ci-token < token.txt
    fsl secret list --json
    fsl secret delete ci-token
    """


@secret.command(name="set", no_args_is_help=True)
@click.argument("name")
@remote
def set_(*, name: str, client: Client, as_json: bool) -> None:
    """Set a secret.

    The value is read from a prompt, or from a pipe without its last line ending. It is never displayed.

    \b
    fsl secret set ci-token
    pass show ci-token | fsl secret set ci-token
    """
    if sys.stdin.isatty():
        value = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    stored: Resource = client.call(api_calls.PUT_SECRET_NAME, name, json={"value": value}).json()
    if as_json:
        put(stored)
    else:
        say(f"secret {stored['name']} was set")


@secret.command(name="list")
@remote
def list_(*, client: Client, as_json: bool) -> None:
    """List the names of the secrets of a namespace.

    Values of secrets cannot be read.

    \b
    fsl secret list --json | jq -r '.[].name'
    """
    found: list[Resource] = client.call(api_calls.GET_SECRET).json()
    if as_json:
        put(found)
    else:
        rows = [(one["name"], short_time(one["set_at"]), one["set_by"]) for one in found]
        table(("name", "set at", "set by"), rows)


@secret.command(no_args_is_help=True)
@click.argument("name")
@remote
def delete(*, name: str, client: Client, as_json: bool) -> None:
    """Delete a secret.

    Within 30 seconds, all actions that refer to it fail.

    \b
    fsl secret delete ci-token
    """
    deleted: Resource = client.call(api_calls.DELETE_SECRET_NAME, name).json()
    if as_json:
        put(deleted)
    else:
        say(f"secret {deleted['name']} was deleted")
