"""What starts a machine of a template, and what calls the functions that it uses: notes.

FSL has other ways for these connections, so they are not imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.asl.problems import Level, Problem, pointer
from fsl.importing.functions import FUNCTIONS, Resolver, names_in

_STARTS: Final[dict[str, str]] = {
    "Schedule": "write a `schedule` for it",
    "ScheduleV2": "write a `schedule` for it",
    "Api": "start runs by `POST /flowrun`",
    "HttpApi": "start runs by `POST /flowrun`",
}
"""What FSL has instead of the events of a SAM machine."""

_LISTENERS: Final = {
    "AWS::Events::Rule": "the rule",
    "AWS::Scheduler::Schedule": "the schedule",
    "AWS::Pipes::Pipe": "the pipe",
    "AWS::SNS::Subscription": "the subscription",
    "AWS::Lambda::EventSourceMapping": "the event source mapping",
    "AWS::ApiGateway::Method": "the API method",
    "AWS::ApiGatewayV2::Integration": "the API integration",
    "AWS::IoT::TopicRule": "the rule",
}
"""The resources that connect others."""

_CALLED: Final = {"AWS::SQS::Queue": "queue", "AWS::SNS::Topic": "topic", "AWS::Events::EventBus": "event bus"}
_DETAILS: Final = ("Schedule", "ScheduleExpression", "Path", "Method", "Pattern", "EventPattern", "Queue", "Topic")


def wiring(resolver: Resolver, machine: str, used: set[str]) -> Iterator[Problem]:
    """Yield a note for each event of a machine, each connection to it, and each queue, topic and bus that it uses.

    `used` are the names of the template that its definition refers to.
    """
    properties = _mapping(_mapping(resolver.resources.get(machine)).get("Properties"))
    for name, event in _mapping(properties.get("Events")).items():
        kind = str(_mapping(event).get("Type"))
        instead = _STARTS.get(kind, "publish the event by `POST /event`, or start runs by `POST /flowrun`")
        place = pointer("", "Resources", machine, "Properties", "Events", name)
        yield _note(place, f"an event of type {kind}{_details(resolver, event)} starts it: {instead}")
    functions = {name for name in used if resolver.kind(name) in FUNCTIONS}
    for name in sorted(functions):
        yield from _events_of_function(resolver, name)
    for name in resolver.resources:
        kind = resolver.kind(name)
        if kind in _LISTENERS:
            yield from _connection(resolver, name, {machine, *functions})
        elif kind in _CALLED and name in used:
            place = pointer("", "Resources", name)
            yield _note(place, f"the machine uses this {_CALLED[kind]}: it stays on AWS, and the flow calls it there")


def _events_of_function(resolver: Resolver, name: str) -> Iterator[Problem]:
    properties = _mapping(_mapping(resolver.resources.get(name)).get("Properties"))
    for event, found in _mapping(properties.get("Events")).items():
        place = pointer("", "Resources", name, "Properties", "Events", event)
        kind = str(_mapping(found).get("Type"))
        yield _note(place, f"the function is also called by an event of type {kind}{_details(resolver, found)}")


def _connection(resolver: Resolver, name: str, ends: set[str]) -> Iterator[Problem]:
    refers = names_in(resolver.resources[name])
    for end in sorted(refers & ends):
        others = ", ".join(f"`{other}`" for other in sorted(refers - ends) if other in resolver.resources)
        between = f" and {others}" if others else ""
        details = _details(resolver, {"Properties": _mapping(resolver.resources[name]).get("Properties")})
        what = _LISTENERS[resolver.kind(name)]
        yield _note(pointer("", "Resources", name), f"{what}{details} connects `{end}`{between}: not imported")


def _details(resolver: Resolver, event: Any) -> str:
    properties = _mapping(_mapping(event).get("Properties"))
    found = [f"{key} {_short(resolver.resolved(properties[key]))}" for key in _DETAILS if key in properties]
    return f" ({', '.join(found)})" if found else ""


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _note(place: str, message: str) -> Problem:
    return Problem(place, Level.NOTE, message)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
