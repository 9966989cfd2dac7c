"""A click group that imports a command only when it is called, and lists its commands by subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is not imported yet: its name, its location (`package.module:attribute`) and its summary.

    The summary is the first sentence of the command's help, so that `fsl --help` imports no command.
    """

    name: str
    location: str
    summary: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.location.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """A group of lazily imported commands in sections."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[LazyCommand]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.sections = sections
        self._lazy = {command.name: command for commands in sections.values() for command in commands}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing it if necessary; None if there is none with this name."""
        if cmd_name in self._lazy and cmd_name not in self.commands:
            self.add_command(self._lazy[cmd_name].load(), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands of each section with their summaries."""
        width = max(map(len, self._lazy))
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(command.name.ljust(width), command.summary) for command in commands])
