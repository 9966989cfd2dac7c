"""The front door: every trigger of every Lambda function, and which plain function it calls. It decides nothing.

Queue and schedule triggers stand here and not in a Blueprint, since Chalice would let Lambda import their own module
then, and never this one.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate, SQSEvent

from chalicelib import config
from chalicelib.entrypoints import api, workers

SETTINGS = config.from_environment(os.environ)
QUEUES = SETTINGS.queue_prefix

app = Chalice(app_name="echoer", configure_logs=False)
logging.getLogger("echoer").setLevel(SETTINGS.log)
app.register_blueprint(api.routes)


@app.on_sqs_message(queue=f"{QUEUES}-deliveries", batch_size=10)
def deliver(event: SQSEvent) -> dict[str, Any]:
    return workers.deliver(event.to_dict())


@app.on_sqs_message(queue=f"{QUEUES}-wakes", batch_size=10)
def wake(event: SQSEvent) -> dict[str, Any]:
    return workers.wake(event.to_dict())


@app.on_sqs_message(queue=f"{QUEUES}-dead", batch_size=10)
def bury(event: SQSEvent) -> dict[str, Any]:
    return workers.bury(event.to_dict())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(_: CloudWatchEvent) -> None:
    workers.sweep()
