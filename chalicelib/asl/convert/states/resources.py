"""What the Resource of a Task names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PART: Final = r"(?:\$\{[^{}]*\}|[^:$]|\$(?!\{))*"
_ARN: Final = re.compile(rf"arn:{_PART}:(?P<service>{_PART}):{_PART}:{_PART}:(?P<rest>.+)", re.DOTALL)
_INTEGRATION: Final = re.compile(
    r"(?P<sdk>aws-sdk:)?(?P<service>[A-Za-z0-9-]+):(?P<operation>[A-Za-z0-9]+)(?P<pattern>\.sync(?::2)?|\.waitForTaskToken)?"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource.

    Attributes:
        kind: `function`, `activity`, `integration`, or `unknown`: a template fills it in, or nothing of FSL calls it.
        name: The function's name or ARN, the activity's name; else the text as it is.
        service: Of an integration: `lambda`, `dynamodb`; with `aws-sdk:` before it as it is written.
        operation: Of an integration: `invoke`.
        pattern: Of an integration: "", `.sync`, `.sync:2` or `.waitForTaskToken`.
    """

    kind: str
    name: str
    service: str = ""
    operation: str = ""
    pattern: str = ""

    @property
    def waits_for_token(self) -> bool:
        """Whether it is answered by a task token."""
        return self.pattern == ".waitForTaskToken"

    @property
    def address(self) -> str:
        """The address of the operation in FSL."""
        pattern = "" if self.waits_for_token else self.pattern
        return f"{self.service}:{self.operation}{pattern}"


def read_resource(text: str) -> Resource:
    """Return what the text names."""
    arn = _ARN.fullmatch(text)
    if arn is None:
        return Resource("unknown", text)
    rest = arn["rest"]
    if arn["service"] == "lambda":
        return Resource("function", text)
    if rest.startswith("activity:"):
        return Resource("activity", rest.removeprefix("activity:"))
    found = _INTEGRATION.fullmatch(rest)
    if found is None or arn["service"] != "states":
        return Resource("unknown", text)
    service = (found["sdk"] or "") + found["service"].lower()
    return Resource("integration", text, service, found["operation"], found["pattern"] or "")
