"""`fsl shell`: echoer's terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Final

import click

from fsl.cli.common import remote, say
from fsl.cli.terminal import BANNER, EXIT, Piped, Reader, Statements, Terminal
from fsl.client import Client, ClientError, Resource, Unreachable


@click.command()
@remote
@click.pass_context
def shell(ctx: click.Context, *, client: Client, as_json: bool) -> None:
    """Talk to the server statement by statement.

    A statement is FSL, or list, get, del, help and more; it ends with a line that ends in `/`. `exit` leaves.
    From a pipe it exits with 1 if a statement failed. With --json: one object on a line for each statement.

    \b
    fsl shell
    fsl shell < release.fsl
    echo 'list flowrun /' | fsl shell
    """
    reader = Terminal() if sys.stdin.isatty() and not as_json else Piped(sys.stdin)
    if reader.interactive:
        say(BANNER, "magenta")
    code = _Session(client, interactive=reader.interactive, as_json=as_json).talk(reader)
    ctx.exit(0 if reader.interactive else code)


class _Session:
    """Statements go to the server, answers to standard output."""

    def __init__(self, client: Client, *, interactive: bool, as_json: bool) -> None:
        self._client = client
        self._interactive = interactive
        self._as_json = as_json

    def talk(self, reader: Reader) -> int:
        """The exit code: 1 if a statement failed."""
        code = 0
        for statement in self._statements(reader):
            if not self._send(statement):
                code = 1
        return code

    def _statements(self, reader: Reader) -> Iterator[str]:
        gathered = Statements()
        left = False
        for line in reader.lines():
            if line.strip().lower() in (EXIT, EXIT + "/", EXIT + " /"):
                left = True
                break
            statement = gathered.feed(line)
            if statement:
                yield statement
        if not left and not self._interactive and (rest := gathered.rest()):
            yield rest
        if (left or self._interactive) and not self._as_json:
            click.echo("Bye!")

    def _send(self, statement: str) -> bool:
        try:
            answer = self._client.command(statement)
        except Unreachable as exc:
            if not self._interactive:
                raise
            say(f"(ERROR): {exc}", "red")
            return False
        except ClientError as exc:
            answer = {"reply": "ERR", "raw": str(exc)}
        if self._as_json:
            click.echo(json.dumps(answer, ensure_ascii=False))
        else:
            self._show(answer)
        return bool(answer["reply"] != "ERR")

    def _show(self, answer: Resource) -> None:
        raw = str(answer.get("raw") or "").rstrip("\n")
        match answer["reply"]:
            case "OK":
                say("OK", "green")
                if raw and self._interactive:
                    say(raw, "dim")
            case "NIL":
                say("(nil)", "cyan")
            case "ERR":
                say(f"E| {raw}", "red")
            case _:
                click.echo(f"R| \n{raw}")


COMMANDS: Final = (shell,)
