"""Stages: `.chalice/config.json` says which there are and what is special to each; here is what follows from a name.

A stage is a whole Echoer of its own. Everything it owns bears its name, so several live in one account; and as no name
is left to chance, alarms and policies can say it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from chalicelib import config
from chalicelib.config import Access, Metrics
from chalicelib.model.errors import EchoerError

Document: TypeAlias = dict[str, Any]
"""A JSON object: a template, a policy, or a part of one."""

ROOT: Final = Path(__file__).resolve().parents[1]
RUNTIME: Final = "python3.12"
"""Amazon Linux 2023, glibc 2.34. On python3.11's Amazon Linux 2 (glibc 2.26) google-re2 has no wheel for x86_64."""

API: Final = "api_handler"
QUEUE_OF: Final = {"deliver": "deliveries", "wake": "wakes", "dead_letter": "dead"}
FUNCTIONS: Final = (API, *QUEUE_OF, "sweep")
"""Those that every stage has."""
AUTHORIZE: Final = "authorize"
"""Whom API Gateway asks about tokens, if the stage says so."""
DERIVED: Final = frozenset({"ECHOER_BACKEND", "ECHOER_TABLE", "ECHOER_QUEUE_PREFIX", "ECHOER_METRICS_NAMESPACE"})
"""Settings that follow from the stage's name."""

_GATES: Final = {"ECHOER_AUTH": "token", "ECHOER_AUTHORIZER": "on", "ECHOER_CALLBACKS": "open"}
"""By which `app.py` says what API Gateway asks for. A stage says all of them: Chalice reads the app here, where other
defaults hold than on Lambda, and nobody's shell is to decide who comes in."""

_OURS: Final = frozenset({"log_retention_in_days", "action_arns"})
"""What the configuration says of a stage to us and not to Chalice."""

_NOT_IN_A_TEMPLATE: Final = {
    **{name: f"set {name}_REF to where it is kept" for name in ("ECHOER_WEBHOOK_KEY", "ECHOER_SECRETS_KEY")},
    **dict.fromkeys(
        ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        "let a collector beside the functions, such as a Lambda extension, add what its backend asks for",
    ),
}
"""Settings that are secrets, and what to do instead."""


class NoSuchStage(EchoerError):
    """A stage was named that the configuration does not know."""


class BadStage(EchoerError):
    """The configuration says of a stage what cannot be."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `settings`: what its functions find in their environment, but for what not all of them need."""

    name: str
    settings: Mapping[str, str]
    architecture: str
    path: str
    """Where API Gateway has the API: `https://ID.execute-api.REGION.amazonaws.com/PATH`."""
    url: str | None
    """ECHOER_URL, if it is said (where the API has a domain of its own)."""
    log_days: int
    """How long logs are kept."""
    keys: Mapping[str, str]
    """Where keys are kept: `key` signs what is sent to actions, `secrets-key` seals secrets at rest."""
    gate: Access
    """What API Gateway asks for before it calls the API."""
    actions: tuple[str, ...]
    """ARNs of the queues and functions that actions may be (`method = queue`, `method = lambda`)."""

    @property
    def functions(self) -> tuple[str, ...]:
        return (*FUNCTIONS, AUTHORIZE) if self.gate is Access.TOKEN else FUNCTIONS

    @property
    def prefix(self) -> str:
        return f"echoer-{self.name}"

    @property
    def admin_token(self) -> str:
        """The name of the parameter that keeps the first admin's token; the API knows only its digest."""
        return f"/echoer/{self.name}/admin-token"

    @property
    def table(self) -> str:
        return self.settings["ECHOER_TABLE"]

    @property
    def metrics(self) -> str:
        """CloudWatch's namespace of the stage's own metrics."""
        return self.settings["ECHOER_METRICS_NAMESPACE"]

    @property
    def counts(self) -> bool:
        """Whether the functions make metrics of what they do."""
        return self.settings["ECHOER_METRICS"].strip().lower() == Metrics.EMF

    @property
    def requirements(self) -> tuple[str, ...]:
        """The files that say which packages the functions need."""
        traced = "ECHOER_OTLP_ENDPOINT" in self.settings
        return ("requirements.txt", *(["requirements-traces.txt"] if traced else []))

    def queue(self, queue: str) -> str:
        """The name of the queue that is called `deliveries`, `wakes` or `dead`."""
        return f"{self.prefix}-{queue}"

    def function(self, name: str) -> str:
        """The Lambda function's name."""
        return f"{self.prefix}-{name}"

    def log_group(self, name: str) -> str:
        return f"/aws/lambda/{self.function(name)}"


def configuration(root: Path = ROOT) -> Document:
    """`.chalice/config.json`."""
    found: Document = json.loads((root / ".chalice" / "config.json").read_text())
    return found


def stage(name: str, configured: Document) -> Stage:
    """The stage of that name. Raises NoSuchStage, BadStage, and BadSetting for a setting that cannot be."""
    if name not in configured["stages"]:
        known = ", ".join(configured["stages"])
        raise NoSuchStage(f"no stage {name!r} in .chalice/config.json (there are {known}); to have it, add it there")
    given: Mapping[str, str] = configured["stages"][name].get("environment_variables", {})
    for variable in sorted(given.keys() & (_NOT_IN_A_TEMPLATE.keys() | DERIVED)):
        raise BadStage(f"stage {name!r}: {variable} must not be set: it {_reason(variable)}")
    prefix = f"echoer-{name}"
    own = {
        "ECHOER_BACKEND": "aws",
        "ECHOER_TABLE": prefix,
        "ECHOER_QUEUE_PREFIX": prefix,
        "ECHOER_METRICS": Metrics.EMF.value,
        "ECHOER_METRICS_NAMESPACE": f"Echoer/{name}",
        "ECHOER_SECRETS_KEY_REF": f"ssm:/echoer/{name}/secrets-key",
        **_GATES,
    }
    special = {"ECHOER_URL", "ECHOER_WEBHOOK_KEY_REF"}
    settings = {**own, **{key: value for key, value in given.items() if key not in special}}
    checked = config.from_environment(settings)
    return Stage(
        name=name,
        settings=settings,
        architecture=configured["stages"][name].get("lambda_architecture", configured["lambda_architecture"]),
        path=configured["stages"][name].get("api_gateway_stage", configured["api_gateway_stage"]),
        url=given.get("ECHOER_URL"),
        log_days=configured["stages"][name]["log_retention_in_days"],
        keys={
            "key": given.get("ECHOER_WEBHOOK_KEY_REF", f"ssm:/echoer/{name}/webhook-key"),
            "secrets-key": settings["ECHOER_SECRETS_KEY_REF"],
        },
        gate=checked.gate,
        actions=tuple(configured["stages"][name].get("action_arns", ())),
    )


def for_chalice(configured: Document, of: Stage) -> Document:
    """The configuration as Chalice is to find it: that stage alone, with all its settings.

    Without its log groups: Chalice 1.34 names that of the API after a function that is not there, and fails at any in
    the Terraform form.
    """
    kept = {key: value for key, value in configured["stages"][of.name].items() if key not in _OURS}
    return {**configured, "stages": {of.name: {**kept, "environment_variables": dict(of.settings)}}}


def _reason(variable: str) -> str:
    if variable in _NOT_IN_A_TEMPLATE:
        return f"is a secret; {_NOT_IN_A_TEMPLATE[variable]}"
    return "follows from the stage's name"
