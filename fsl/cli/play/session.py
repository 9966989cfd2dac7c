"""The session of a play: moves are added, taken back, and played from the start each time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from chalicelib.hosting.wiring import Services
from chalicelib.play.case_text import case_text
from chalicelib.play.moves import Move
from chalicelib.play.session import Play, Played, play
from chalicelib.service.errors import ServiceError
from fsl.cli.common import say, table, write
from fsl.cli.play import shown
from fsl.cli.play.case_file import write_case
from fsl.cli.play.moves import HELP, BadMove, move_of
from fsl.transition_text import fields_of, transition

NAMESPACE: Final = "default"


class PlaySession:
    """A play at the terminal. Raises what `play` raises for a flow that cannot start."""

    def __init__(self, lender: Services, wanted: Play, *, quiet: bool = False) -> None:
        self._lender = lender
        self._wanted = wanted
        self._quiet = quiet
        self._moves: tuple[Move, ...] = ()
        self.played: Played = self._play(self._moves)
        self.refused = False
        """Whether a line was refused."""
        self._show(0, 0)

    def enter(self, line: str) -> bool:
        """Do what a line says. Return False if it ends the session."""
        word = line.strip().partition(" ")[0].lower()
        match word:
            case "" | "#":
                return True
            case "quit" | "exit":
                return False
            case "help" | "?":
                write(HELP)
            case "undo":
                self._undo()
            case "vars":
                table(("variable", "value"), [(name, shown.text_of(one)) for name, one in self.played.vars.items()])
            case "history":
                for entry in self.played.history:
                    say(f"{shown.time_of(entry.at)}  {transition(fields_of(entry))}")
            case "runs":
                rows = [(run.name, run.definition.flow, str(run.status)) for run in self.played.runs]
                table(("run", "flow", "status"), rows)
            case _:
                self._move(line)
        return True

    def save(self, case: Path, files: Sequence[Path]) -> None:
        """Write the play as a test of the files into a new file. Raises click.ClickException."""
        own = case.name.removesuffix(".test.yaml").removesuffix(".test.yml") + ".fsl"
        programs = [os.path.relpath(file, case.parent) for file in files]
        wanted = replace(self._wanted, script=self._moves)
        try:
            text = case_text(self._lender, NAMESPACE, wanted, programs=() if programs == [own] else programs)
        except ServiceError as exc:
            raise click.ClickException(f"no test is written: {exc}") from exc
        write_case(case, text)

    def _undo(self) -> None:
        if not self._moves:
            self._refuse("there is no move to take back")
            return
        self._moves = self._moves[:-1]
        self.played = self._play(self._moves)
        self._show(self.played.history[-1].seq, len(self.played.refused))

    def _move(self, line: str) -> None:
        try:
            moves = (*self._moves, move_of(line, self.played.waits, self.played.run.name))
            played = self._play(moves)
        except (BadMove, ServiceError) as exc:
            self._refuse(str(exc))
            return
        seen, refused = self.played.history[-1].seq, len(self.played.refused)
        if len(played.refused) > refused:
            self._refuse(played.refused[-1].why)
            return
        self._moves, self.played = moves, played
        self._show(seen, refused)

    def _refuse(self, why: str) -> None:
        self.refused = True
        say(f"refused: {why}", "red", err=self._quiet)

    def _play(self, moves: tuple[Move, ...]) -> Played:
        return play(self._lender, NAMESPACE, replace(self._wanted, script=moves))

    def _show(self, seen: int, refused: int) -> None:
        if not self._quiet:
            shown.show(self.played, seen, refused)
