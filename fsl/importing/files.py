"""What a file holds: a machine, a template, or definitions of FSL in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from chalicelib.asl.plain import not_plain
from chalicelib.asl.read import Reading, failed, read_json, reading_of
from chalicelib.asl.substitute import substitute
from fsl.importing.yaml_text import MAX_CHARACTERS, NotYaml, read_yaml

YAML_SUFFIXES: Final = (".yaml", ".yml")
MAX_NESTED: Final = 100
"""Levels of objects and lists in a template."""


def is_yaml(name: str, text: str) -> bool:
    """Return whether the text is YAML: by the name of its file, else by how it begins."""
    suffix = PurePath(name).suffix.lower()
    if suffix in YAML_SUFFIXES or suffix in (".json", ".asl"):
        return suffix in YAML_SUFFIXES
    return not text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def read_machine(name: str, text: str, values: Mapping[str, str]) -> Reading:
    """Return the machine in the text of a file, values filled in."""
    if not is_yaml(name, text):
        reading = read_json(text, values)
    else:
        try:
            reading = reading_of(read_yaml(text))
        except NotYaml as problem:
            return failed(str(problem))
    return reading if reading.machine is None else Reading(substitute(reading.machine, values), reading.problems)


def read_plain(name: str, text: str) -> Any:
    """Return the JSON or YAML of a template. Raises NotYaml for either."""
    if len(text) > MAX_CHARACTERS:
        raise NotYaml(f"the file has more than {MAX_CHARACTERS} characters")
    found = read_yaml(text) if is_yaml(name, text) else _read_json(text)
    if (problem := not_plain(found, MAX_NESTED)) is not None:
        raise NotYaml(f"{problem.pointer}: {problem.message}")
    return found


def _read_json(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as problem:
        where = f"at line {problem.lineno}, column {problem.colno}"
        raise NotYaml(f"the text is no JSON {where}: {problem.msg}") from problem
    except (ValueError, RecursionError) as problem:
        raise NotYaml("the JSON is nested too deeply, or has a number that is too long") from problem


def is_template(value: Any) -> bool:
    """Return whether it is a template of SAM, CloudFormation or the CDK."""
    return isinstance(value, dict) and isinstance(value.get("Resources"), dict) and "States" not in value


def is_machine(value: Any) -> bool:
    """Return whether it is meant as a machine."""
    return isinstance(value, dict) and ("States" in value or "StartAt" in value)
