"""The machines of a template: AWS SAM, CloudFormation, and what `cdk synth` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.asl.problems import Level, Problem, pointer
from chalicelib.asl.read import Reading, failed, read_json, reading_of
from chalicelib.asl.substitute import substitute
from chalicelib.model.actions import REPLY_TIMEOUT_S
from fsl.importing.files import read_machine
from fsl.importing.functions import FUNCTIONS, Resolver, TooLarge, names_in
from fsl.importing.wiring import wiring

SAM: Final = "AWS::Serverless::StateMachine"
CLOUDFORMATION: Final = "AWS::StepFunctions::StateMachine"
_S3: Final = "the definition is in S3, and this command reads files only: download it and import the file"


@dataclass(frozen=True)
class FoundMachine:
    """A machine of a template.

    Attributes:
        logical_id: Its name in the template.
        name: Its name on AWS, else its logical id.
        express: It is an Express workflow.
        reading: Its definition, values filled in, or what is wrong with it.
        file: The file that the definition is in; an empty text where it is in the template itself.
        where: The pointer in the template, of which the pointers in the definition go on.
        notes: What else the template says about it: pointers into the template.
        values: What the template fills into the definition.
    """

    logical_id: str
    name: str
    express: bool
    reading: Reading
    file: str
    where: str
    notes: tuple[Problem, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


def machines_in(
    template: Mapping[str, Any], values: Mapping[str, str], read_file: Callable[[str], str]
) -> list[FoundMachine]:
    """Return the machines of the template, in its order.

    `values` are those of `--var`. `read_file` returns the text of a file by its path from the template's folder, and
    raises OSError or ValueError.
    """
    resolver = Resolver(template, values)
    return [
        _machine(resolver, name, values, read_file)
        for name in resolver.resources
        if resolver.kind(name) in (SAM, CLOUDFORMATION)
    ]


def _machine(
    resolver: Resolver, logical_id: str, values: Mapping[str, str], read_file: Callable[[str], str]
) -> FoundMachine:
    properties = resolver.resources[logical_id].get("Properties")
    properties = properties if isinstance(properties, dict) else {}
    kind = resolver.text(properties.get("Type", properties.get("StateMachineType", "")))
    where = pointer("", "Resources", logical_id, "Properties")
    name = resolver.name(logical_id)
    named = logical_id if not name or "${" in name else name
    try:
        given = _substitutions(resolver, properties, values)
        reading, field_name, file = _definition(resolver, properties, given, read_file)
        notes = tuple(_notes(resolver, logical_id, properties))
    except TooLarge as problem:
        reading, field_name, file, given, notes = failed(str(problem)), "", "", {}, ()
    place = pointer(where, field_name) if field_name else where
    return FoundMachine(logical_id, named, kind == "EXPRESS", reading, file, place, notes, given)


def _substitutions(resolver: Resolver, properties: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    given = properties.get("DefinitionSubstitutions")
    own = {key: resolver.text(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return {**own, **values}


def _definition(
    resolver: Resolver, properties: Mapping[str, Any], values: Mapping[str, str], read_file: Callable[[str], str]
) -> tuple[Reading, str, str]:
    """Return the definition, the property that it is in, and its file."""
    if "Definition" in properties:
        return reading_of(substitute(resolver.resolved(properties["Definition"]), values)), "Definition", ""
    if "DefinitionString" in properties:
        text = properties["DefinitionString"]
        found = text if isinstance(text, str) else resolver.resolved(text)
        if not isinstance(found, str):
            return failed("DefinitionString is no text"), "DefinitionString", ""
        reading = read_json(found, values)
        machine = reading.machine
        filled = reading if machine is None else Reading(substitute(machine, values), reading.problems)
        return filled, "DefinitionString", ""
    if "DefinitionS3Location" in properties:
        return failed(_S3), "DefinitionS3Location", ""
    if "DefinitionUri" not in properties:
        return failed("the machine has no definition"), "", ""
    uri = properties["DefinitionUri"]
    if not isinstance(uri, str) or uri.startswith("s3://"):
        return failed(_S3), "DefinitionUri", ""
    try:
        return read_machine(uri, read_file(uri), values), "DefinitionUri", uri
    except (OSError, ValueError) as problem:
        return failed(f"cannot read {uri}: {getattr(problem, 'strerror', None) or problem}"), "DefinitionUri", ""


def _notes(resolver: Resolver, logical_id: str, properties: Mapping[str, Any]) -> Iterator[Problem]:
    used = {name for name in _names_used(properties) if name in resolver.resources}
    for name in sorted(name for name in used if resolver.kind(name) in FUNCTIONS):
        yield from _notes_on_function(resolver, name)
    yield from wiring(resolver, logical_id, used)


def _notes_on_function(resolver: Resolver, name: str) -> Iterator[Problem]:
    properties = resolver.resources[name].get("Properties")
    properties = properties if isinstance(properties, dict) else {}
    place = pointer("", "Resources", name)
    if "FunctionName" not in properties and resolver.name(name) == name:
        words = f"the Lambda function has no FunctionName here, so the flow calls `{name}`: give its name with"
        yield Problem(place, Level.NOTE, f"{words} `--var {name}=NAME`")
    timeout = properties.get("Timeout")
    if isinstance(timeout, int) and timeout > REPLY_TIMEOUT_S:
        words = f"the Lambda function may take {timeout} s: give its action `reply_timeout = {timeout}s`"
        yield Problem(pointer(place, "Properties", "Timeout"), Level.NOTE, words)


def _names_used(properties: Mapping[str, Any]) -> set[str]:
    return names_in([properties.get(key) for key in ("Definition", "DefinitionString", "DefinitionSubstitutions")])
