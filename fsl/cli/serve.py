"""`fsl local`: the server on this machine."""

from __future__ import annotations

import os
from typing import Final

import click

from chalicelib import config


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), help="Where to listen (ECHOER_PORT, 8080); 0: any free port.")
@click.option("--db", metavar="PATH|:memory:", help="The SQLite file (ECHOER_DB, .echoer/echoer.db).")
@click.option("--aws", is_flag=True, help="On the DynamoDB and SQS adapters: embedded, or at ECHOER_DYNAMODB_URL.")
@click.option("--demo", is_flag=True, help="Run the example before your eyes, then serve on.")
@click.option("--once", is_flag=True, help="With --demo: end when the run has; its success is the exit code.")
@click.pass_context
def local(ctx: click.Context, *, port: int | None, db: str | None, aws: bool, demo: bool, once: bool) -> None:
    """Serve on this machine: API, queue workers and timers in one process.

    Nothing is needed but this package; runs are kept in a file and go on after a restart, or a crash.
    ECHOER_LOG=debug tells of every request.

    \b
    fsl local
    fsl local --port 9000 --db /tmp/try.db
    fsl local --demo
    """
    if once and not demo:
        raise click.UsageError("--once goes with --demo")
    asked = {
        "ECHOER_PORT": None if port is None else str(port),
        "ECHOER_DB": db,
        "ECHOER_BACKEND": "aws" if aws else None,
    }
    said = {name: value for name, value in asked.items() if value is not None}
    try:
        settings = config.from_environment({**os.environ, **said})
    except config.BadSetting as exc:
        raise click.UsageError(str(exc)) from exc
    from fsl.local import process  # Chalice and waitress: only those who serve wait for them

    if not demo:
        ctx.exit(process.run(settings))
    from fsl.local.demo import Demo

    with Demo(once=once) as beside:
        code = process.run(settings, beside)
    ctx.exit(code)


COMMANDS: Final = (local,)
