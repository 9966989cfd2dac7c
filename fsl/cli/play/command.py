"""`fsl play`: the command."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from chalicelib.adapters.virtual import ScriptedCaller
from chalicelib.engine.errors import Refused
from chalicelib.hosting.virtual import VirtualHost
from chalicelib.model import times
from chalicelib.model.json_values import Json
from chalicelib.play.session import Play
from chalicelib.service.errors import ServiceError
from chalicelib.service.ports.actions import Taken
from fsl.cli.common import put, say
from fsl.cli.play.moves import WORDS
from fsl.cli.play.recorded import Replay, replay
from fsl.cli.play.session import PlaySession
from fsl.cli.remote import remote
from fsl.cli.runs.start import input_of
from fsl.client import Client
from fsl.testing.execute import definitions_of
from fsl.testing.program import BadProgram, Program, read_program


@click.command(no_args_is_help=True)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--flow", metavar="NAME", help="The flow to play, if the files define several.")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="K=V|JSON|@FILE", help="Input of the run; may be repeated."
)
@click.option("--at", metavar="TIME", help="When the run starts: an RFC 3339 time; by default 2027-01-15T08:00:00Z.")
@click.option("--run", metavar="NAME", help="Replay what is recorded of a run of the server, against FILES if given.")
@click.option("--upto", metavar="SEQ", type=click.IntRange(1), help="Replay the run only up to that history entry.")
@click.option("--ahead", is_flag=True, help="Show what becomes of the run if nothing is done: only time passes.")
@click.option(
    "--save-test",
    "case",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the play as a test for `fsl test` into a new file.",
)
@remote
@click.pass_context
def play(
    ctx: click.Context, *, files: Sequence[Path], flow: str | None, inputs: Sequence[str], at: str | None,
    run: str | None, upto: int | None, ahead: bool, case: Path | None, client: Client, as_json: bool,
) -> None:  # fmt: skip
    """Play a flow step by step on a virtual clock.

    No server is needed, and nothing is sent: you answer for the actions and people, publish events, and let time pass.
    `help` lists the moves. Each move is played by the engine itself, and `undo` takes it back. If the input is a pipe,
    each line is a move, and the exit code is 1 if one was refused. With --json, only the end of the play is printed.

    With --run, the recorded facts of a run of the server are decided again: with its own definition, or with FILES, to
    see whether a change would have saved it. The first decision that differs is shown.

    \b
    fsl play order.fsl --input order=o-1 --input amount=12.5
    printf 'SUCCESS\\nnext\\n' | fsl play order.fsl --input @order.json --save-test order.test.yaml
    fsl play --run o-2 mended.fsl
    fsl play --run o-2 --ahead
    """
    if case is not None and case.exists():
        raise click.BadParameter(f"{case} exists already", param_hint="--save-test")
    if run is not None:
        if inputs or at is not None:
            raise click.UsageError("a recorded run has its own input and start: leave --input and --at out")
        asked = Replay(run, "\n/\n".join(map(_text, files)), flow or "", upto)
        replay(client, asked, ahead=ahead, case=case, as_json=as_json)
        return
    if not files or upto is not None or ahead:
        raise click.UsageError("name FSL files, or a run with --run" if not files else "--upto and --ahead need --run")
    session = _begin(files, flow, inputs, at, as_json=as_json)
    for line in _lines(session, as_json=as_json):
        if not session.enter(line):
            break
    if as_json:
        from chalicelib.entrypoints.http.presenters.plays import played

        put(played(session.played))
    if case is not None:
        session.save(case, files)
    ctx.exit(1 if session.refused and not sys.stdin.isatty() else 0)


def _begin(
    files: Sequence[Path], flow: str | None, inputs: Sequence[str], at: str | None, *, as_json: bool
) -> PlaySession:
    """Return the session of a play of the files. Raises click.ClickException."""
    try:
        program = read_program(files)
    except (BadProgram, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
    name = _flow(program, flow)
    moment = None if at is None else times.instant(at)
    if at is not None and moment is None:
        raise click.BadParameter(f"{at!r} is not an RFC 3339 time such as 2027-01-15T08:00:00Z", param_hint="--at")
    lender = VirtualHost(ScriptedCaller(lambda _: Taken()))
    lender.define(*definitions_of(program.definitions.values()), *program.events.values())
    wanted = Play(flow=name, input=_input(program, name, inputs), at=moment)
    try:
        return PlaySession(lender.services, wanted, quiet=as_json)
    except (ServiceError, Refused) as exc:
        raise click.ClickException(str(exc)) from exc


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise click.ClickException(f"{file}: {exc}") from exc


def _flow(program: Program, wanted: str | None) -> str:
    """Return the name of the flow to play. Raises click.UsageError if it is not clear."""
    name = wanted or program.only()
    if name is None:
        raise click.UsageError(f"name the flow to play with --flow: {', '.join(sorted(program.definitions))}")
    run = program.flow_runs.get(name)
    flow = run.flow if run is not None and run.flow else name
    if flow not in program.definitions:
        raise click.UsageError(f"there is no flow {flow!r}; the files define {', '.join(sorted(program.definitions))}")
    return flow


def _input(program: Program, flow: str, given: Sequence[str]) -> dict[str, Json]:
    types = {one.name: str(one.type) for one in program.definitions[flow].flow.input}
    runs = [one for one in program.flow_runs.values() if one.flow == flow]
    own = runs[0].input if len(runs) == 1 else {}
    return {**own, **input_of(given, types)}


def _lines(session: PlaySession, *, as_json: bool) -> Iterator[str]:
    """Yield the lines of the person at the terminal, or of the pipe."""
    if not sys.stdin.isatty() or as_json:
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    def words() -> list[str]:
        states = [state for one in session.played.waits for state in one.states]
        return sorted({*WORDS, *states, *(one.step for one in session.played.waits)})

    say("`help` lists the moves; `quit` ends the play", "dim")
    prompt: PromptSession[str] = PromptSession(completer=WordCompleter(words, sentence=False))
    while True:
        try:
            yield prompt.prompt("> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
