"""`fsl`: what a person types. Commands on files need no server; those on what is in force and on runs speak to one;
`local` is one.

Exit codes: 0 done; 1 what was asked for failed; 2 it was asked for wrongly; 3 no server answers.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from fsl.cli import (
    about,
    apply,
    check,
    doctor,
    documents,
    resources,
    runs,
    secret,
    serve,
    shell,
    testing,
    token,
    webhook,
)
from fsl.cli.common import failed
from fsl.client import Refused, Unreachable


class _Desk(click.Group):
    """Turns the client's errors into exit codes, once for all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Unreachable as exc:
            failed(exc)
            ctx.exit(3)
        except Refused as exc:
            failed(exc)
            ctx.exit(1)


@click.group(
    cls=_Desk,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try: fsl local --demo; fsl check FILE; fsl apply FILE; fsl watch RUN. ECHOER_URL names the server.",
)
def main() -> None:
    """Business processes as finite state machines, written in FSL.

    \b
    fsl local --demo                 a server on this machine, and an example run
    fsl check release.fsl            is it right? no server is needed
    fsl test                         run the tests beside your programs, on a virtual clock
    fsl apply release.fsl            put it in force; its runs begin
    fsl run order --input amount=12  start a run of a flow
    fsl list                         the newest runs
    fsl watch my_flow_run            each transition as it happens
    """


for command in (*check.COMMANDS, *apply.COMMANDS, *resources.COMMANDS, *runs.COMMANDS, *serve.COMMANDS):
    main.add_command(command)
for command in (*documents.COMMANDS, *testing.COMMANDS, *doctor.COMMANDS, *token.COMMANDS):
    main.add_command(command)
for command in (*secret.COMMANDS, *webhook.COMMANDS):
    main.add_command(command)
for command in (*shell.COMMANDS, *about.COMMANDS):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
