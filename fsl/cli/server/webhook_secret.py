"""`fsl webhook-secret`: the secret with which services verify requests and sign answers."""

from __future__ import annotations

import os

import click

from chalicelib import config
from chalicelib.model.errors import EchoerError
from chalicelib.service.security.namespaces import is_namespace
from fsl.cli.common import json_option, put, say, write


@click.command(name="webhook-secret")
@click.option("--namespace", metavar="NAME", help="The namespace (ECHOER_NAMESPACE, default).")
@json_option
@click.pass_context
def webhook_secret(ctx: click.Context, *, namespace: str | None, as_json: bool) -> None:
    """Print the webhook secret of a namespace.

    Services verify the requests that they receive with this secret, and sign their answers with it. It is derived from
    ECHOER_WEBHOOK_KEY, or from the key that ECHOER_WEBHOOK_KEY_REF names (ssm:NAME, secretsmanager:NAME#FIELD; read
    with your AWS credentials). While a key is being replaced there is one line per key, the newest first.

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
            f"{name!r} is not valid: use at most 63 lower-case letters, digits and dashes, and no dash at the start",
            param_hint="--namespace",
        )
    from chalicelib.hosting import webhook_key_of  # loads the whole service, so it is imported late
    from chalicelib.service.security.webhooks import secrets_for

    try:
        secrets = secrets_for(webhook_key_of(settings), name)
    except (EchoerError, ValueError) as exc:
        say(f"error: {exc}", "red", err=True)
        ctx.exit(1)
    if settings.webhook_key_ref is None and settings.webhook_key == config.DEVELOPMENT_KEY:
        message = "this secret is derived from the public development key; set ECHOER_WEBHOOK_KEY for production"
        say(message, "yellow", err=True)
    if as_json:
        put(list(secrets))
    else:
        write("\n".join(secrets))
