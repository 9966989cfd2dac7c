"""`fsl token create`, `list`, `revoke`: access tokens of a server."""

from __future__ import annotations

import click

from chalicelib.service.security.roles import Role
from fsl import api_calls
from fsl.cli.common import put, say, short_time, table, write
from fsl.cli.remote import remote
from fsl.client import Client, Resource


@click.group(no_args_is_help=True)
def token() -> None:
    """Create, list and revoke access tokens.

    These commands require the token of an admin in ECHOER_TOKEN.

    \b
    fsl token create ci --role author --expires-in 30d
    fsl token list --json
    fsl token revoke 6f1c...
    """


@token.command(no_args_is_help=True)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What the token permits.")
@click.option("--expires-in", metavar="DURATION", help="Lifetime, such as 30d or 12h; by default it does not expire.")
@remote
def create(*, name: str, role: str, expires_in: str | None, client: Client, as_json: bool) -> None:
    """Create a token.

    The text of the token is displayed only once. A viewer reads. An action answers the steps of services. A clerk reads
    the inbox, and answers tasks and approvals. An operator may do all of that, and start and control runs. An author
    may change definitions, too, and an admin may manage tokens.

    \b
    fsl token create ci --role author --expires-in 30d
    ECHOER_TOKEN=$(fsl token create robot --role operator) fsl list
    """
    body = {"name": name, "role": role} | ({"expires_in": expires_in} if expires_in else {})
    created: Resource = client.call(api_calls.POST_TOKEN, json=body).json()
    if as_json:
        put(created)
        return
    message = f"token {created['id']} of namespace {created['namespace']}; store its text, it is displayed only once:"
    say(message, "dim", err=True)
    write(created["token"])


@token.command(name="list")
@remote
def list_(*, client: Client, as_json: bool) -> None:
    """List the tokens of a namespace.

    Expired and revoked tokens are included.

    \b
    fsl token list --json | jq -r '.[].id'
    """
    found: list[Resource] = client.call(api_calls.GET_TOKEN).json()
    if as_json:
        put(found)
    else:
        table(("id", "name", "role", "created by", "created at", "valid until"), [_row(one) for one in found])


def _row(found: Resource) -> tuple[str, ...]:
    until = f"revoked {short_time(found['revoked_at'])}" if found["revoked_at"] else short_time(found["expires_at"])
    fields = (str(found[field]) for field in ("id", "name", "role", "created_by"))
    return (*fields, short_time(found["created_at"]), until)


@token.command(no_args_is_help=True)
@click.argument("token_id", metavar="ID")
@remote
def revoke(*, token_id: str, client: Client, as_json: bool) -> None:
    """Revoke a token.

    The token is invalid everywhere within 30 seconds.

    \b
    fsl token revoke 6f1c...
    """
    revoked: Resource = client.call(api_calls.DELETE_TOKEN_TOKEN_ID, token_id).json()
    if as_json:
        put(revoked)
    else:
        say(f"token {revoked['id']} ({revoked['name']}) was revoked")
