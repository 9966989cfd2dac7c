"""A machine of Step Functions as FSL. The call changes nothing."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from chalicelib.entrypoints.http import reading, responses
from chalicelib.entrypoints.http.reading import Text
from chalicelib.entrypoints.http.request import Request
from chalicelib.entrypoints.http.route import Route
from chalicelib.model.json_values import Json
from chalicelib.service.errors import Invalid, TooLarge
from chalicelib.service.security.roles import Role

# The converter is imported when the view is called: a cold start does not pay for it.

MAX_VALUES: Final = 1_000
DEFAULT_NAME: Final = "machine"


class ImportBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`asl` is a definition in Amazon States Language: an object, or its JSON text. `name` becomes the name of the
    flow, and `values` fill in `${NAME}` of a template."""

    asl: Json
    name: Text = ""
    values: Annotated[dict[Text, Text | float], msgspec.Meta(max_length=MAX_VALUES)] = {}


def import_(request: Request) -> responses.ImportedMachine:
    """Convert a machine of Step Functions to FSL.

    The answer has all problems of the machine and of its conversion, and of the args of operations of AWS, whether or
    not actions may call these here. A machine with errors is converted as far as possible. Nothing is stored: submit
    `fsl` to `POST /flow`.
    """
    from chalicelib.asl.imported import import_machine
    from chalicelib.asl.read import read_json, reading_of

    body = reading.read(request.body, ImportBody)
    values = {name: value if isinstance(value, str) else f"{value:.15g}" for name, value in body.values.items()}
    _check_size(body.asl)
    found = read_json(body.asl, values) if isinstance(body.asl, str) else reading_of(body.asl)
    if found.machine is None:
        raise Invalid(f"`asl` is no machine: {found.problems[0].message}")
    operations = request.services.known_operations
    imported = import_machine(found, body.name or DEFAULT_NAME, values, operations=operations)
    return {
        "fsl": imported.fsl,
        "name": imported.name,
        "problems": [
            {"pointer": one.pointer, "level": one.level.value, "message": one.message} for one in imported.problems
        ],
    }


def _check_size(asl: Json) -> None:
    """Raise TooLarge if the definition is."""
    from chalicelib.asl.read import MAX_BYTES

    text = asl.encode(errors="surrogatepass") if isinstance(asl, str) else msgspec.json.encode(asl)
    if len(text) > MAX_BYTES:
        raise TooLarge(f"the definition has {len(text)} bytes, and the limit is {MAX_BYTES}")


ROUTES: Final = (
    Route(
        method="POST",
        path="/import",
        view=import_,
        group="definitions",
        role=Role.VIEWER,
        body=ImportBody,
        answers={200: responses.ImportedMachine},
        errors=(413, 422),
    ),
)
