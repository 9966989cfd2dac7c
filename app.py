"""The Chalice app: every trigger of every Lambda function, and the plain function that it calls.

Queue and schedule triggers and the authorizer are defined here and not in a Blueprint, because Chalice would then let
Lambda import the Blueprint's module instead of this one.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import Any

gc.disable()  # imports make objects that stay: looking for garbage among them is an eighth of a cold start's CPU

from chalice.app import AuthRequest, BaseLambdaEvent, Chalice, CloudWatchEvent, IAMAuthorizer, Rate, SQSEvent

from chalicelib import config
from chalicelib.adapters.telemetry import logs
from chalicelib.config import Access, LogFormat
from chalicelib.entrypoints import authorizer, preload

SETTINGS = config.from_environment(os.environ)
QUEUES = SETTINGS.queue_prefix

app = Chalice(app_name="echoer", configure_logs=False)
logging.getLogger("echoer").setLevel(SETTINGS.log)
if SETTINGS.on_lambda and SETTINGS.log_format is LogFormat.JSON:
    logs.write(sys.stdout, logs.JsonLines())

gatekeeper: Any = IAMAuthorizer() if SETTINGS.gate is Access.IAM else None
if SETTINGS.gate is Access.TOKEN:

    @app.authorizer(ttl_seconds=authorizer.CACHE_S)
    def authorize(request: AuthRequest) -> dict[str, Any]:
        return authorizer.authorize(request.token, request.method_arn)

    gatekeeper = authorize

if preload.has_routes(os.environ.get("_HANDLER", "")):
    from chalicelib.entrypoints.http import register

    app.register_blueprint(register.blueprint(gatekeeper, SETTINGS.callbacks, has_preflights=bool(SETTINGS.origins)))


# Workers are imported by what calls them: the other functions do not pay for it.


@app.on_sqs_message(queue=f"{QUEUES}-deliveries", batch_size=10)
def deliver(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.entrypoints import workers

    return workers.deliver(event.to_dict(), _request(event), _remaining(event))


@app.on_sqs_message(queue=f"{QUEUES}-wakes", batch_size=10)
def wake(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.entrypoints import workers

    return workers.wake(event.to_dict(), _request(event))


@app.on_sqs_message(queue=f"{QUEUES}-dead", batch_size=10)
def dead_letter(event: SQSEvent) -> dict[str, Any]:
    from chalicelib.entrypoints import workers

    return workers.dead_letter(event.to_dict(), _request(event))


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: CloudWatchEvent) -> None:
    from chalicelib.entrypoints import workers

    workers.sweep(_request(event))


if SETTINGS.function_url:

    @app.lambda_function()
    def callback(event: Any, context: Any) -> dict[str, Any]:
        from chalicelib.entrypoints.http import function_url

        return function_url.serve(event, context)


def _remaining(event: BaseLambdaEvent) -> int | None:
    """Return for how many milliseconds Lambda lets the function run."""
    remaining = getattr(event.context, "get_remaining_time_in_millis", None)
    return remaining() if remaining else None


def _request(event: BaseLambdaEvent) -> str:
    """Return Lambda's id of the invocation."""
    return str(getattr(event.context, "aws_request_id", ""))


if SETTINGS.on_lambda:
    preload.preload(os.environ.get("_HANDLER", ""))
    gc.freeze()  # nor is it looked for later among what every request needs
gc.enable()
