"""What a command of the terminal prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from chalicelib.service.errors import Malformed


class OutputKind(StrEnum):
    """How the terminal shows an output."""

    OK = "OK"
    RAW = "Raw"
    ERR = "ERR"
    NIL = "NIL"


class Output(NamedTuple):
    """The output of a command."""

    kind: OutputKind
    text: str = ""


class Usage(Malformed):
    """A command is unknown, or its arguments are wrong."""


DONE: Final = Output(OutputKind.OK)
NOTHING: Final = Output(OutputKind.NIL)


def raw(text: str) -> Output:
    """Return the text; NIL if there is none."""
    return Output(OutputKind.RAW, text) if text else NOTHING
