"""`fsl token create`, `list`, `revoke`: who may speak to the server."""

from __future__ import annotations

from typing import Final

import click
from rich.text import Text

from chalicelib.service.security.roles import Role
from fsl import api_calls
from fsl.cli.common import put, remote, say, table
from fsl.client import Client, Resource

namespace_option: Final = click.option(
    "--namespace", metavar="NAME", help="Another namespace than the token's own; the first admin may say so."
)


def in_namespace(namespace: str | None) -> dict[str, str]:
    """The header that names the namespace."""
    return {"X-Echoer-Namespace": namespace} if namespace else {}


@click.group(no_args_is_help=True)
def token() -> None:
    """Make, list and revoke tokens; an admin's ECHOER_TOKEN is needed.

    \b
    fsl token create ci --role author --expires-in 30d
    fsl token list --json
    fsl token revoke 6f1c...
    """


@token.command(no_args_is_help=True)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it is for.")
@click.option("--expires-in", metavar="DURATION", help="30d, 12h, ...; it never expires if nothing is said.")
@namespace_option
@remote
def create(
    *, name: str, role: str, expires_in: str | None, namespace: str | None, client: Client, as_json: bool
) -> None:
    """Make a token. Its text is told now, and never again.

    viewer reads; action answers steps; operator also runs and orders; author also writes definitions; admin also makes
    tokens.

    \b
    fsl token create ci --role author --expires-in 30d
    ECHOER_TOKEN=$(fsl token create robot --role operator) fsl list
    """
    said = {"name": name, "role": role} | ({"expires_in": expires_in} if expires_in else {})
    made: Resource = client.call(api_calls.POST_TOKEN, json=said, headers=in_namespace(namespace)).json()
    if as_json:
        put(made)
        return
    say(f"token {made['id']} of {made['namespace']}: keep what follows, it is not told again", "dim", err=True)
    click.echo(made["token"])


@token.command(name="list")
@namespace_option
@remote
def list_(*, namespace: str | None, client: Client, as_json: bool) -> None:
    """List the namespace's tokens, those that are no longer good too.

    \b
    fsl token list --json | jq -r '.[].id'
    """
    found: list[Resource] = client.call(api_calls.GET_TOKEN, headers=in_namespace(namespace)).json()
    if as_json:
        put(found)
    else:
        table(("id", "name", "role", "made by", "made", "good until"), [_row(one) for one in found])


def _row(found: Resource) -> tuple[str | Text, ...]:
    until = f"revoked {_moment(found['revoked_at'])}" if found["revoked_at"] else _moment(found["expires_at"])
    return (*(str(found[field]) for field in ("id", "name", "role", "created_by")), _moment(found["created_at"]), until)


def _moment(text: str | None) -> str:
    return (text or "").replace("T", " ").partition(".")[0]


@token.command(no_args_is_help=True)
@click.argument("token_id", metavar="ID")
@namespace_option
@remote
def revoke(*, token_id: str, namespace: str | None, client: Client, as_json: bool) -> None:
    """Revoke a token: it is good no more, within 30 seconds everywhere.

    \b
    fsl token revoke 6f1c...
    """
    gone: Resource = client.call(api_calls.DELETE_TOKEN_TOKEN_ID, token_id, headers=in_namespace(namespace)).json()
    if as_json:
        put(gone)
    else:
        say(f"token {gone['id']} ({gone['name']}) is revoked")


COMMANDS: Final = (token,)
