"""The functions of CloudFormation: what they yield as far as the template alone says it.

What only AWS knows becomes `${NAME}`, for which `--var NAME=VALUE` gives a value: `${AWS::Region}`, a resource without
a name of its own, an attribute such as `${Queue.QueueUrl}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_PLACE: Final = re.compile(r"\$\{(!?)([^{}]*)\}")
_KNOWN: Final = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_NAMES: Final = {
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Serverless::SimpleTable": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Events::EventBus": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::StepFunctions::Activity": "Name",
}
"""The properties that name a resource."""

_ARNS: Final = {
    "AWS::Lambda::Function": "lambda:${AWS::Region}:${AWS::AccountId}:function:",
    "AWS::Serverless::Function": "lambda:${AWS::Region}:${AWS::AccountId}:function:",
    "AWS::StepFunctions::StateMachine": "states:${AWS::Region}:${AWS::AccountId}:stateMachine:",
    "AWS::Serverless::StateMachine": "states:${AWS::Region}:${AWS::AccountId}:stateMachine:",
    "AWS::StepFunctions::Activity": "states:${AWS::Region}:${AWS::AccountId}:activity:",
    "AWS::DynamoDB::Table": "dynamodb:${AWS::Region}:${AWS::AccountId}:table/",
    "AWS::Serverless::SimpleTable": "dynamodb:${AWS::Region}:${AWS::AccountId}:table/",
    "AWS::SQS::Queue": "sqs:${AWS::Region}:${AWS::AccountId}:",
    "AWS::SNS::Topic": "sns:${AWS::Region}:${AWS::AccountId}:",
    "AWS::Events::EventBus": "events:${AWS::Region}:${AWS::AccountId}:event-bus/",
    "AWS::S3::Bucket": "s3:::",
}
"""How the ARN of a resource goes on behind the partition, up to its name."""

_ARN_BY_REF: Final = frozenset(
    {
        *("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"),
        "AWS::StepFunctions::Activity",
    }
)
"""The resources of which `Ref` is the ARN."""

FUNCTIONS: Final = frozenset({"AWS::Lambda::Function", "AWS::Serverless::Function"})

_MAX_NAME: Final = 300
_MAX_TEXT: Final = 4_194_304


class TooLarge(ValueError):
    """The functions of a template yield more text than a template may have."""


class Resolver:
    """Works out the functions of one template. `values` are those of `--var`; they go before all else."""

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self._values = values
        self._parameters = _mapping(template.get("Parameters"))
        self._mappings = _mapping(template.get("Mappings"))
        self.resources = _mapping(template.get("Resources"))
        self._names: dict[str, str] = {}

    def resolved(self, value: Any) -> Any:
        """Return JSON with each function in it replaced by what it yields. Raises TooLarge."""
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        return {key: self.resolved(item) for key, item in value.items()}

    def text(self, value: Any) -> str:
        """Return the text that a value yields: a number as it is written, `${...}` where it is none."""
        found = self.resolved(value)
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, str | int | float):
            return str(found)
        return ",".join(map(self.text, found)) if isinstance(found, list) else "${unknown}"

    def reference(self, name: str) -> str:
        """Return what `Ref` of the name yields."""
        if name in self._values or name in _KNOWN:
            return self._values.get(name, _KNOWN.get(name, ""))
        default = _mapping(self._parameters.get(name)).get("Default")
        if isinstance(default, str | int | float):
            return self.text(default)
        kind = self.kind(name)
        return self.attribute(name, "Arn") if kind in _ARN_BY_REF else self.name(name) or f"${{{name}}}"

    def attribute(self, name: str, attribute: str) -> str:
        """Return what `Fn::GetAtt` of the name yields."""
        whole = f"{name}.{attribute}"
        if whole in self._values:
            return self._values[whole]
        kind = self.kind(name)
        if attribute in ("Arn", "TopicArn") and kind in _ARNS:
            named = self.name(name) or (name if kind in FUNCTIONS else f"${{{name}}}")
            return f"arn:{self.reference('AWS::Partition')}:{self._filled(_ARNS[kind])}{named}"
        if attribute in ("Name", "QueueName", "TopicName") and self.name(name):
            return self.name(name)
        return f"${{{whole}}}"

    def kind(self, name: str) -> str:
        """Return the type of a resource; an empty text where there is none of that name."""
        found = _mapping(self.resources.get(name)).get("Type")
        return found if isinstance(found, str) else ""

    def name(self, name: str) -> str:
        """Return what a resource is called on AWS; an empty text where CloudFormation makes up the name."""
        if name in self._values:
            return self._values[name]
        if name not in self._names:
            kind = self.kind(name)
            own = name if kind in FUNCTIONS else ""
            self._names[name] = own  # A name that refers to itself finds this.
            properties = _mapping(_mapping(self.resources.get(name)).get("Properties"))
            if (given := properties.get(_NAMES.get(kind, ""))) is not None:
                named = self.text(given)
                self._names[name] = named if len(named) <= _MAX_NAME else own
        return self._names[name]

    def _filled(self, text: str) -> str:
        return _PLACE.sub(lambda found: self.reference(found.group(2)), text)

    # ── the functions ──

    def _function(self, name: str, argument: Any) -> Any:
        found = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
        }.get(name)
        result = found(argument) if found else None
        return f"${{{name.removeprefix('Fn::')}}}" if result is None else result

    def _ref(self, argument: Any) -> Any:
        return self.reference(argument) if isinstance(argument, str) else None

    def _get_att(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            return None
        return self.attribute(parts[0], parts[1])

    def _sub(self, argument: Any) -> Any:
        text, given = (argument, {}) if isinstance(argument, str) else _pair(argument)
        if not isinstance(text, str):
            return None
        own = {key: self.text(value) for key, value in _mapping(given).items()}

        def one(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            name = name.strip()
            if name in own:
                return own[name]
            resource, _, attribute = name.partition(".")
            return self.attribute(resource, attribute) if attribute else self.reference(name)

        return _bounded(_PLACE.sub(one, text))

    def _join(self, argument: Any) -> Any:
        between, parts = _pair(argument)
        if not isinstance(between, str) or not isinstance(parts, list):
            return None
        return _bounded(between.join(self.text(part) for part in parts))

    def _find_in_map(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) < 3:
            return None
        found: Any = self._mappings
        for key in argument[:3]:
            found = _mapping(found).get(self.text(key))
        return found if isinstance(found, str | int | float | list) else None

    def _select(self, argument: Any) -> Any:
        index, items = _pair(argument)
        found = self.resolved(items)
        place = self.text(index)
        if not isinstance(found, list) or not place.isdecimal() or int(place[:9]) >= len(found):
            return None
        return found[int(place)]

    def _split(self, argument: Any) -> Any:
        between, text = _pair(argument)
        return self.text(text).split(between) if isinstance(between, str) and between else None

    def _if(self, argument: Any) -> Any:
        condition = argument[0] if isinstance(argument, list) and argument else ""
        chosen = self._values.get(condition) if isinstance(condition, str) else None
        if chosen not in ("true", "false") or len(argument) != 3:
            return None
        return self.resolved(argument[1 if chosen == "true" else 2])


def names_in(value: Any) -> set[str]:
    """Return the names of the template that a value refers to, by Ref, Fn::GetAtt and Fn::Sub."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting.extend(here)
        elif isinstance(here, dict):
            for key, item in here.items():
                if key == "Ref" and isinstance(item, str):
                    found.add(item)
                elif key == "Fn::GetAtt":
                    first = item[0] if isinstance(item, list) and item else item
                    found.add(str(first).split(".")[0])
                elif key == "Fn::Sub":
                    text = item if isinstance(item, str) else _pair(item)[0]
                    found.update(place.split(".")[0] for _, place in _PLACE.findall(str(text)))
                waiting.append(item)
    return found


def _bounded(text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise TooLarge(f"the functions of the template yield more than {_MAX_TEXT} characters")
    return text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _pair(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) and len(value) == 2 else (None, None)
