"""Flows as machines of AWS Step Functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.model.json_values import Json
from chalicelib.service.errors import NotInAsl

if TYPE_CHECKING:
    from chalicelib.asl.export import Placed
    from chalicelib.service.details.definitions import DefinitionDetails

# `chalicelib.asl` is imported when it is needed: a cold start does not pay for it.


@dataclass(frozen=True, slots=True)
class FlowMachine:
    """A flow as a machine, and what differs or must be known."""

    machine: Mapping[str, Json]
    problems: Sequence[Placed]


def flow_machine(definitions: DefinitionDetails, namespace: str, name: str, version: int | None) -> FlowMachine:
    """Return a version of a flow, the newest by default, as a machine.

    Raises NotFound, and NotInAsl if something cannot be expressed.
    """
    from chalicelib.asl.export import export, placed
    from chalicelib.asl.problems import has_errors

    found = definitions.context(namespace, name, version)
    exported = export(found.flow, found.actions, config=found.config)
    problems = placed(exported.problems, found.flow, found.definition.text)
    if has_errors(exported.problems):
        raise NotInAsl(name, problems)
    return FlowMachine(exported.machine, problems)
