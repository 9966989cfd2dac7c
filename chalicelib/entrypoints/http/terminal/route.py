"""`POST /command`: a command of the terminal, with its output as text."""

from __future__ import annotations

from typing import Final

from chalicelib.entrypoints.http import reading, responses
from chalicelib.entrypoints.http.bodies import CommandBody
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.security.roles import Role


def execute(request: Request) -> Json:
    """Execute a command, or FSL statements, as the terminal does.

    An error in the command is not an HTTP error: `reply` is `ERR` and `raw` the message. `help` lists the commands.
    """
    from chalicelib.entrypoints.http.terminal import commands  # loaded on first use: a cold start does not pay for it

    text = reading.read(request.body, CommandBody).command
    output = commands.execute(request, text)
    return {"reply": output.kind, "raw": output.text}


ROUTES: Final = (
    Route(
        method="POST",
        path="/command",
        view=execute,
        group="server",
        role=Role.AUTHOR,
        body=CommandBody,
        answers={200: responses.Reply},
        errors=(413,),
    ),
)
