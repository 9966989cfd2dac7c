"""`fsl webhook-secret`: what a namespace's services verify with, and sign with."""

from __future__ import annotations

import os
from typing import Final

import click

from chalicelib import config
from chalicelib.model.errors import EchoerError
from chalicelib.service.security.namespaces import is_namespace
from fsl.cli.common import json_option, put, say


@click.command(name="webhook-secret")
@click.option("--namespace", metavar="NAME", help="The namespace (ECHOER_NAMESPACE, default).")
@json_option
@click.pass_context
def webhook_secret(ctx: click.Context, *, namespace: str | None, as_json: bool) -> None:
    """Print the secret with which a namespace's services verify what they are sent, and sign their answers.

    It is made from ECHOER_WEBHOOK_KEY, or from what ECHOER_WEBHOOK_KEY_REF names (ssm:NAME, secretsmanager:NAME#FIELD;
    read with your AWS credentials). One line per key, the newest first, while a key is being replaced.

    \b
    fsl webhook-secret --namespace payments
    ECHOER_WEBHOOK_KEY_REF=ssm:/echoer/prod/webhook-key fsl webhook-secret
    """
    try:
        settings = config.from_environment(os.environ)
    except config.BadSetting as exc:
        raise click.UsageError(str(exc)) from exc
    name = namespace or settings.namespace
    if not is_namespace(name):
        raise click.BadParameter(
            f"{name!r}: small letters, digits and dashes, at most 63, no dash at first", param_hint="--namespace"
        )
    from chalicelib.hosting import webhook_key_of  # all of the service: only those who ask wait for it
    from chalicelib.service.security.webhooks import secrets_for

    try:
        secrets = secrets_for(webhook_key_of(settings), name)
    except (EchoerError, ValueError) as exc:
        say(f"error: {exc}", "red", err=True)
        ctx.exit(1)
    if settings.webhook_key_ref is None and settings.webhook_key == config.DEVELOPMENT_KEY:
        say("of the key for development, which anybody knows: set ECHOER_WEBHOOK_KEY", "yellow", err=True)
    if as_json:
        put(list(secrets))
    else:
        click.echo("\n".join(secrets))


COMMANDS: Final = (webhook_secret,)
