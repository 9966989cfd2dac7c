"""`fsl secret set`, `list`, `delete`: secrets that actions refer to (`secret "NAME"`)."""

from __future__ import annotations

import sys
from typing import Final

import click

from fsl import api_calls
from fsl.cli.common import put, remote, say, table
from fsl.cli.token import in_namespace, namespace_option
from fsl.client import Client, Resource


@click.group(no_args_is_help=True)
def secret() -> None:
    """Set, list and delete the secrets that a namespace keeps for its actions.

    \b
    fsl secret set ci-token < token.txt
    fsl secret list --json
    fsl secret delete ci-token
    """


@secret.command(name="set", no_args_is_help=True)
@click.argument("name")
@namespace_option
@remote
def set_(*, name: str, namespace: str | None, client: Client, as_json: bool) -> None:
    """Set a secret. Its value is asked for, or read from a pipe (without a last line end); it is never shown.

    \b
    fsl secret set ci-token
    pass show ci-token | fsl secret set ci-token
    """
    if sys.stdin.isatty():
        value = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    made: Resource = client.call(
        api_calls.PUT_SECRET_NAME, name, json={"value": value}, headers=in_namespace(namespace)
    ).json()
    if as_json:
        put(made)
    else:
        say(f"secret {made['name']} is set")


@secret.command(name="list")
@namespace_option
@remote
def list_(*, namespace: str | None, client: Client, as_json: bool) -> None:
    """List the names of the namespace's secrets. Their values are told to nobody.

    \b
    fsl secret list --json | jq -r '.[].name'
    """
    found: list[Resource] = client.call(api_calls.GET_SECRET, headers=in_namespace(namespace)).json()
    if as_json:
        put(found)
    else:
        rows = [(one["name"], one["set_at"].replace("T", " ").partition(".")[0], one["set_by"]) for one in found]
        table(("name", "set", "by"), rows)


@secret.command(no_args_is_help=True)
@click.argument("name")
@namespace_option
@remote
def delete(*, name: str, namespace: str | None, client: Client, as_json: bool) -> None:
    """Delete a secret: actions that refer to it fail from now on, everywhere within 30 seconds.

    \b
    fsl secret delete ci-token
    """
    gone: Resource = client.call(api_calls.DELETE_SECRET_NAME, name, headers=in_namespace(namespace)).json()
    if as_json:
        put(gone)
    else:
        say(f"secret {gone['name']} is deleted")


COMMANDS: Final = (secret,)
