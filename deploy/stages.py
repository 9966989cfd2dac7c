"""Stages: `.chalice/config.json` lists them with their settings; this module derives the rest from their names.

A stage is a complete installation of Echoer. The names of all its resources contain its name, so one account can have
several stages, and alarms and policies can refer to the resources by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from chalicelib import config
from chalicelib.config import BY_API, BY_FUNCTION_URL, CALLBACK_URL, FUNCTION_URL, PUBLIC_URL, Access, Metrics
from chalicelib.model.errors import EchoerError
from chalicelib.service.observability.prices import ARM, X86

Document: TypeAlias = dict[str, Any]
"""A JSON object: a template, a policy, or a part of one."""

ROOT: Final = Path(__file__).resolve().parents[1]
RUNTIME: Final = "python3.12"
"""Amazon Linux 2023, glibc 2.34. On python3.11's Amazon Linux 2 (glibc 2.26) google-re2 has no wheel for x86_64."""

ARCHITECTURES: Final = (X86, ARM)
"""The architectures of Lambda's machines. The packages of the functions have wheels for both."""

API: Final = "api_handler"
QUEUE_OF: Final = {"deliver": "deliveries", "wake": "wakes", "dead_letter": "dead"}
FUNCTIONS: Final = (API, *QUEUE_OF, "sweep")
"""The functions that every stage has."""
AUTHORIZE: Final = "authorize"
"""The function that checks tokens for API Gateway, if the stage uses it."""
CALLBACK: Final = "callback"
"""The function behind the Function URL, if the stage has one."""
DERIVED: Final = frozenset({"ECHOER_BACKEND", "ECHOER_TABLE", "ECHOER_QUEUE_PREFIX", "ECHOER_METRICS_NAMESPACE"})
"""Settings that follow from the stage's name."""

_GATES: Final = {
    "ECHOER_AUTH": "token",
    "ECHOER_AUTHORIZER": "on",
    "ECHOER_CALLBACKS": "open",
    "ECHOER_ORIGINS": "",
}
"""The settings from which `app.py` derives the routes of API Gateway and their authentication. A stage sets all of
them: Chalice imports the app on this machine, where the defaults differ from Lambda's, and this shell's variables must
not have an effect."""

_OWN_KEYS: Final = frozenset({"log_retention_in_days", "action_arns", "action_statements"})
"""Keys of a stage's configuration that Chalice does not know."""

_NOT_IN_A_TEMPLATE: Final = {
    **{name: f"set {name}_REF to a reference to it" for name in ("ECHOER_WEBHOOK_KEY", "ECHOER_SECRETS_KEY")},
    **dict.fromkeys(
        ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        "have a collector next to the functions, such as a Lambda extension, add the headers of its backend",
    ),
}
"""Settings that are secrets, and the alternative."""


class NoSuchStage(EchoerError):
    """The configuration has no stage of that name."""


class BadStage(EchoerError):
    """The configuration of a stage is invalid."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `settings` are the environment variables that all its functions have."""

    name: str
    settings: Mapping[str, str]
    architecture: str
    path: str
    """The stage name of the API in its URL: `https://ID.execute-api.REGION.amazonaws.com/PATH`."""
    url: str | None
    """ECHOER_PUBLIC_URL, if it is configured because the API has a domain of its own. Stages of 0.3 have ECHOER_URL."""
    log_days: int
    """How many days logs are retained."""
    keys: Mapping[str, str]
    """References to the keys: `key` signs requests to actions, `secrets-key` encrypts secrets at rest."""
    gate: Access
    """What API Gateway requires before it calls the API."""
    callback_url: str
    """ECHOER_CALLBACK_URL: `function-url`, `api` or a URL."""
    has_function_url: bool
    """Whether there is a Function URL: it outlasts a change of `callback_url`, for actions that answer there."""
    needs_signatures: bool
    """Whether answers of actions need the signature of an AWS identity."""
    actions: tuple[str, ...]
    """ARNs of the queues and functions that actions may be (`method = queue`, `method = lambda`)."""
    origins: tuple[str, ...] = ()
    """The origins whose pages may call the API."""
    statements: tuple[Document, ...] = ()
    """IAM statements that permit the operations of AWS that actions call (`method = aws`)."""

    @property
    def functions(self) -> tuple[str, ...]:
        optional = {CALLBACK: self.has_function_url, AUTHORIZE: self.gate is Access.TOKEN}
        return (*FUNCTIONS, *(name for name, exists in optional.items() if exists))

    @property
    def own_url(self) -> dict[str, str]:
        """The setting with the configured URL. Without one, the API reads its URL from API Gateway's events."""
        return {PUBLIC_URL: self.url} if self.url else {}

    @property
    def prefix(self) -> str:
        return f"echoer-{self.name}"

    @property
    def admin_token(self) -> str:
        """The name of the parameter with the first admin's token; the API gets only its digest."""
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
        """Whether the functions write metrics."""
        return self.settings["ECHOER_METRICS"].strip().lower() == Metrics.EMF

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements files of the functions."""
        traced = "ECHOER_OTLP_ENDPOINT" in self.settings
        return ("requirements.txt", *(["requirements-traces.txt"] if traced else []))

    def queue(self, queue: str) -> str:
        """Return the name of the queue `deliveries`, `wakes` or `dead`."""
        return f"{self.prefix}-{queue}"

    def function(self, name: str) -> str:
        """Return the name of the Lambda function."""
        return f"{self.prefix}-{name}"

    def log_group(self, name: str) -> str:
        return f"/aws/lambda/{self.function(name)}"


def configuration(root: Path = ROOT) -> Document:
    """Return `.chalice/config.json`."""
    found: Document = json.loads((root / ".chalice" / "config.json").read_text())
    return found


def stage(name: str, configured: Document) -> Stage:
    """Return the stage of that name. Raises NoSuchStage, BadStage, and BadSetting for an invalid setting."""
    if name not in configured["stages"]:
        known = ", ".join(configured["stages"])
        raise NoSuchStage(f"no stage {name!r} in .chalice/config.json (it has {known}); add the stage to that file")
    given = {**_defaults(configured), **_given(configured, name)}
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
    special = {PUBLIC_URL, "ECHOER_URL", "ECHOER_WEBHOOK_KEY_REF", CALLBACK_URL}
    callback_url = _callback_url(name, configured)
    own[FUNCTION_URL] = "on" if callback_url else "off"
    settings = {**own, **{key: value for key, value in given.items() if key not in special}}
    checked = config.from_environment(settings)
    if callback_url == BY_FUNCTION_URL and not checked.function_url:
        raise BadStage(f"stage {name!r}: {CALLBACK_URL}={callback_url} needs {FUNCTION_URL}=on")
    return Stage(
        name=name,
        settings=settings,
        architecture=_architecture(name, configured),
        path=configured["stages"][name].get("api_gateway_stage", configured["api_gateway_stage"]),
        url=given.get(PUBLIC_URL) or given.get("ECHOER_URL"),
        log_days=configured["stages"][name]["log_retention_in_days"],
        keys={
            "key": given.get("ECHOER_WEBHOOK_KEY_REF", f"ssm:/echoer/{name}/webhook-key"),
            "secrets-key": settings["ECHOER_SECRETS_KEY_REF"],
        },
        gate=checked.gate,
        callback_url=callback_url or BY_API,
        has_function_url=checked.function_url,
        needs_signatures=checked.auth is Access.IAM and checked.callbacks is Access.TOKEN,
        origins=checked.origins,
        actions=tuple(configured["stages"][name].get("action_arns", ())),
        statements=tuple(configured["stages"][name].get("action_statements", ())),
    )


def sets_callback_url(name: str, configured: Document) -> bool:
    """Return whether the stage itself says where actions answer, and does not follow the default of all stages."""
    return bool(_given(configured, name).keys() & {CALLBACK_URL, PUBLIC_URL})


def without_default_callback_url(configured: Document) -> Document:
    """Return the configuration without the default of all stages that says where actions answer."""
    kept = {key: value for key, value in _defaults(configured).items() if key != CALLBACK_URL}
    return {**configured, "environment_variables": kept}


def _defaults(configured: Document) -> dict[str, str]:
    """Return the settings that all stages have, unless they set them."""
    return dict(configured.get("environment_variables", {}))


def _given(configured: Document, name: str) -> dict[str, str]:
    return dict(configured["stages"][name].get("environment_variables", {}))


def _callback_url(name: str, configured: Document) -> str | None:
    """Return where actions answer: `function-url`, `api` or a URL; None if nothing says so.

    Raises BadStage, BadSetting. A stage's own ECHOER_PUBLIC_URL counts more than the default of all stages.
    """
    default = "" if PUBLIC_URL in _given(configured, name) else _defaults(configured).get(CALLBACK_URL, "")
    value = _given(configured, name).get(CALLBACK_URL, default).strip()
    if value.lower() in ("", BY_API, BY_FUNCTION_URL):
        return value.lower() or None
    if not value.startswith(("http://", "https://")):
        raise BadStage(f"stage {name!r}: {CALLBACK_URL}={value}: must be {BY_FUNCTION_URL}, {BY_API} or a URL")
    return config.from_environment({CALLBACK_URL: value}).callback_base


def _architecture(name: str, configured: Document) -> str:
    """Return the architecture of the functions. Raises BadStage."""
    found: str = configured["stages"][name].get("lambda_architecture", configured["lambda_architecture"])
    if found not in ARCHITECTURES:
        raise BadStage(f"stage {name!r}: lambda_architecture={found}: must be {' or '.join(ARCHITECTURES)}")
    return found


def for_chalice(configured: Document, of: Stage) -> Document:
    """Return the configuration for Chalice: only this stage, with all its settings.

    Log groups are left out: Chalice 1.34 names that of the API after a function that does not exist, and fails on any
    log group in the Terraform form.
    """
    kept = {key: value for key, value in configured["stages"][of.name].items() if key not in _OWN_KEYS}
    alone = {key: value for key, value in configured.items() if key != "environment_variables"}
    return {**alone, "stages": {of.name: {**kept, "environment_variables": dict(of.settings)}}}


def _reason(variable: str) -> str:
    if variable in _NOT_IN_A_TEMPLATE:
        return f"is a secret; {_NOT_IN_A_TEMPLATE[variable]}"
    return "is derived from the stage's name"
