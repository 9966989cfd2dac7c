"""`fsl local`: a server on this machine."""

from __future__ import annotations

import os

import click

from chalicelib import config


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="The port to listen on (ECHOER_PORT, 8080); 0 selects a free port."
)
@click.option("--db", metavar="PATH|:memory:", help="The SQLite database file (ECHOER_DB, .echoer/echoer.db).")
@click.option(
    "--processes",
    type=click.IntRange(1, config.MAX_PROCESSES),
    help=f"How many processes share the work (ECHOER_PROCESSES; one per core, {config.DEFAULT_PROCESSES} at most).",
)
@click.option("--aws", is_flag=True, help="Use DynamoDB and SQS: embedded, or at ECHOER_DYNAMODB_URL.")
@click.option("--demo", is_flag=True, help="Run an example and print its transitions, then keep serving.")
@click.option("--once", is_flag=True, help="With --demo: exit when the example run ends, with 0 if it succeeded.")
@click.pass_context
def local(
    ctx: click.Context, *, port: int | None, db: str | None, processes: int | None, aws: bool, demo: bool, once: bool
) -> None:
    """Run a server on this machine.

    It serves the API and runs the queue workers and timers, in a process for each core. Runs are stored in a file and
    continue after a restart or a crash. ECHOER_LOG=debug logs every request.

    \b
    fsl local
    fsl local --port 9000 --db /tmp/try.db
    fsl local --demo
    """
    if once and not demo:
        raise click.UsageError("--once requires --demo")
    options = {
        "ECHOER_PORT": None if port is None else str(port),
        "ECHOER_DB": db,
        "ECHOER_PROCESSES": None if processes is None else str(processes),
        "ECHOER_BACKEND": "aws" if aws else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = config.from_environment({**os.environ, **given})
    except config.BadSetting as exc:
        raise click.UsageError(str(exc)) from exc
    from fsl.local import process  # loads Chalice and waitress, so it is imported late

    if not demo:
        ctx.exit(process.run(settings))
    from fsl.local.demo import Demo

    with Demo(once=once) as demonstration:
        code = process.run(settings, demonstration)
    ctx.exit(code)
