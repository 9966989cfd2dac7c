"""The machines that a command was given: from files, and from templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Final

from chalicelib.asl.problems import Level, Problem
from chalicelib.asl.read import Reading, failed
from fsl.importing.files import is_template, read_machine, read_plain
from fsl.importing.templates import FoundMachine, machines_in
from fsl.importing.yaml_text import NotYaml

STDIN: Final = "-"
_SUFFIXES: Final = frozenset({".json", ".yaml", ".yml", ".asl", ".sfn"})

ReadText = Callable[[str], str]


@dataclass(frozen=True)
class Source:
    """A machine, and where it is from.

    Attributes:
        reading: The definition, values filled in.
        name: What its flow is to be called.
        machine: Its logical id in a template, else its name.
        file: The file that it is in, as it was given.
        where: The pointer in the file that its own pointers go on from.
        express: It is an Express workflow.
        template: The template that the notes are about.
        notes: What the template says about it apart from its definition, with pointers into the template.
        values: What the template fills in.
    """

    reading: Reading
    name: str
    machine: str
    file: str
    where: str = ""
    express: bool = False
    template: str = ""
    notes: tuple[Problem, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


def sources_of(
    files: Sequence[str], template: str | None, values: Mapping[str, str], read_text: ReadText
) -> list[Source]:
    """Return the machines of the files, in their order; of the template, where no file is given.

    With both, a file that a machine of the template names as its DefinitionUri takes its values, its name and its type
    from there. `read_text` returns the text of a file.
    """
    known = _in_template(template, read_text(template), values, read_text) if template is not None else []
    if not files:
        return known
    found: list[Source] = []
    for file in files:
        found.extend(_in_file(file, known, values, read_text))
    return found


def _in_file(file: str, known: Sequence[Source], values: Mapping[str, str], read_text: ReadText) -> list[Source]:
    text = read_text(file)
    if _holds_template(file, text):
        return _in_template(file, text, values, read_text)
    name = name_of(file)
    for source in known:
        if source.file != source.template and _is_same(source.file, file):
            filled = read_machine(file, text, {**source.values, **values})
            return [replace(source, reading=filled, file=file)]
    reading = read_machine(file, text, values)
    note = Problem(
        "", Level.NOTE, f"no machine of the template has {file} as its DefinitionUri: its values are not used"
    )
    return [Source(reading, name, name, file, template=file, notes=(note,) if known else ())]


def _holds_template(file: str, text: str) -> bool:
    if '"Resources"' not in text and "Resources:" not in text:
        return False
    try:
        return is_template(read_plain(file, text))
    except NotYaml:
        return False


def _in_template(file: str, text: str, values: Mapping[str, str], read_text: ReadText) -> list[Source]:
    try:
        template = read_plain(file, text)
    except NotYaml as problem:
        return [_hopeless(file, str(problem))]
    if not is_template(template):
        return [_hopeless(file, "this is no template: it has no `Resources`")]
    folder = Path() if file == STDIN else Path(file).parent
    machines = machines_in(template, values, lambda path: read_text(str(folder / path)))
    if not machines:
        return [_hopeless(file, "the template has no state machine")]
    return [_source(found, file, folder) for found in machines]


def _source(found: FoundMachine, template: str, folder: Path) -> Source:
    file, where = (str(folder / found.file), "") if found.file else (template, found.where)
    return Source(
        found.reading, found.name, found.logical_id, file, where, found.express, template, found.notes, found.values
    )


def _hopeless(file: str, reason: str) -> Source:
    return Source(failed(reason), name_of(file), name_of(file), file)


def name_of(file: str) -> str:
    """Return the name of a file without its suffixes: `order` for `flows/order.asl.json`."""
    path = PurePath("machine" if file == STDIN else file)
    while path.suffix.lower() in _SUFFIXES:
        path = path.with_suffix("")
    return path.name or "machine"


def _is_same(one: str, other: str) -> bool:
    return other != STDIN and Path(one).resolve() == Path(other).resolve()
