"""`fsl shell`: the interactive terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from fsl.cli.common import put_line, say, write
from fsl.cli.remote import remote
from fsl.cli.server.completion import Names, ShellCompleter
from fsl.cli.server.terminal import BANNER, EXIT, PipedReader, Reader, StatementBuffer, TerminalReader
from fsl.client import Client, ClientError, Resource, Unreachable


@click.command()
@remote
@click.pass_context
def shell(ctx: click.Context, *, client: Client, as_json: bool) -> None:
    """Send statements to a server interactively.

    A statement is FSL, or a command such as list, task, answer, retry or help. It ends with a line that ends in `/`.
    TAB completes commands and names. `exit` ends the session. If the input is a pipe, the exit code is 1 if a statement
    failed. With --json, the result of each statement is a JSON object on a line of its own.

    \b
    fsl shell
    fsl shell < release.fsl
    echo 'list flowrun /' | fsl shell
    """
    interactive = sys.stdin.isatty() and not as_json
    reader: Reader = TerminalReader(ShellCompleter(Names(client))) if interactive else PipedReader(sys.stdin)
    if reader.interactive:
        say(BANNER, "magenta", lines=True)
    code = _Session(client, interactive=reader.interactive, as_json=as_json).run(reader)
    ctx.exit(0 if reader.interactive else code)


class _Session:
    """Sends statements to the server and prints the results on standard output."""

    def __init__(self, client: Client, *, interactive: bool, as_json: bool) -> None:
        self._client = client
        self._interactive = interactive
        self._as_json = as_json

    def run(self, reader: Reader) -> int:
        """Send all statements; return 1 if one failed, else 0."""
        code = 0
        for statement in self._statements(reader):
            if not self._send(statement):
                code = 1
        return code

    def _statements(self, reader: Reader) -> Iterator[str]:
        buffer = StatementBuffer()
        exited = False
        for line in reader.lines():
            if line.strip().lower() in (EXIT, EXIT + "/", EXIT + " /"):
                exited = True
                break
            statement = buffer.feed(line)
            if statement:
                yield statement
        if not exited and not self._interactive and (rest := buffer.rest()):
            yield rest
        if (exited or self._interactive) and not self._as_json:
            write("Bye!")

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
            put_line(answer)
        else:
            self._show(answer)
        return bool(answer["reply"] != "ERR")

    def _show(self, answer: Resource) -> None:
        raw = str(answer.get("raw") or "").rstrip("\n")
        match answer["reply"]:
            case "OK":
                say("OK", "green")
                if raw and self._interactive:
                    say(raw, "dim", lines=True)
            case "NIL":
                say("(nil)", "cyan")
            case "ERR":
                say(f"E| {raw}", "red", lines=True)
            case _:
                write(f"R| \n{raw}")
