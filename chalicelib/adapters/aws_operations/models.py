"""The services and operations of AWS, by the models that come with botocore.

An address is `SERVICE:OPERATION`, such as `dynamodb:putItem`. The service has botocore's name or, without dashes, its
own id (`cloudwatchlogs` is `logs`, `sfn` and `states` are `stepfunctions`), as in the resources of AWS Step Functions.
The first letter of an operation may be of either case. `apigateway:invoke` is Step Functions' own (`gateway_model`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Final

import botocore.session
from botocore.exceptions import UnknownServiceError

from chalicelib.adapters.aws_operations import gateway_model
from chalicelib.language import UnknownOperation

_OF_SDK: Final = "aws-sdk:"
ADDRESS: Final = re.compile(r"(?:aws-sdk:)?([a-z0-9-]+):([A-Za-z][A-Za-z0-9]*)(\.sync(?::2)?)?")

# Ids of services (AWS API models, `serviceId`) that are not botocore's names without dashes.
_BY_ID: Final = {
    "applicationdiscoveryservice": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "costandusagereportservice": "cur",
    "costexplorer": "ce",
    "databasemigrationservice": "dms",
    "databasemigration": "dms",
    "directoryservice": "ds",
    "directoryservicedata": "ds-data",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticmapreduce": "emr",
    "elasticsearchservice": "es",
    "elasticsearch": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuildingservice": "lex-models",
    "lexmodelsv2": "lexv2-models",
    "lexruntimeservice": "lex-runtime",
    "lexruntimev2": "lexv2-runtime",
    "marketplaceentitlementservice": "marketplace-entitlement",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "pinpointsmsvoice": "sms-voice",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
    "states": "stepfunctions",
}

_ELSEWHERE: Final = {("bedrock", "invokeModel"): "bedrock-runtime"}
"""Operations that Step Functions names under another service than AWS does."""

_ERROR_NAMES: Final = {"stepfunctions": "StepFunctions"}
"""Services whose errors do not begin with their id."""

TEXT_VALUE: Final = "S"
"""The member of a value of DynamoDB that is text."""

_KINDS: Final = {"long": "integer", "double": "float"}


class Shape:
    """What a value that an operation takes or returns is, by its botocore shape `model`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def kind(self) -> str:
        """One of structure, map, list, string, integer, float, boolean, blob, timestamp, document (any JSON value)."""
        if getattr(self.model, "is_document_type", False):
            return "document"
        name: str = self.model.type_name
        return _KINDS.get(name, "string" if name == "character" else name)

    @cached_property
    def members(self) -> Mapping[str, Shape]:
        """The members of a structure."""
        return {name: Shape(model) for name, model in self.model.members.items()}

    @property
    def takes_text(self) -> bool:
        """Whether text may stand for a structure: for a value of DynamoDB, whose type is text then."""
        return self.kind == "structure" and self.model.name == "AttributeValue" and TEXT_VALUE in self.model.members

    @property
    def required(self) -> frozenset[str]:
        """The members of a structure that must be given."""
        return frozenset(self.model.required_members)

    @cached_property
    def element(self) -> Shape:
        """The values of a map or a list."""
        return Shape(self.model.value if self.model.type_name == "map" else self.model.member)


@dataclass(frozen=True)
class Operation:
    """An operation. `service` is botocore's name of the service, `name` the operation's, `sync` the text after it."""

    service: str
    name: str
    sync: str
    model: Any
    is_of_sdk: bool = False
    """Whether the address has the prefix of Step Functions' integrations with AWS's SDK."""

    @property
    def action(self) -> str:
        """The operation as settings name it: `dynamodb:PutItem`."""
        return f"{self.service}:{self.name}"

    @property
    def error_prefix(self) -> str:
        """The beginning of the names of its errors: the id of the service, such as `DynamoDB` or `SecretsManager`."""
        if self.service in _ERROR_NAMES:
            return _ERROR_NAMES[self.service]
        found = str(self.model.service_model.service_id).replace(" ", "")
        return found[:1].upper() + found[1:]

    @cached_property
    def input(self) -> Shape | None:
        """What it takes; None if that is nothing."""
        return Shape(self.model.input_shape) if self.model.input_shape else None

    @cached_property
    def output(self) -> Shape | None:
        return Shape(self.model.output_shape) if self.model.output_shape else None


class Models:
    """Finds operations. Threads may share it; a service is loaded when it is first named, and kept."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._services: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Any:
        return botocore.session.get_session()

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._session.get_available_services())

    def operation(self, address: str) -> Operation:
        """Return the operation of an address. Raises UnknownOperation."""
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise UnknownOperation("is not of the form service:operation, such as dynamodb:putItem")
        service, name, sync = found[1], found[2], found[3] or ""
        service = _ELSEWHERE.get((service, name[:1].lower() + name[1:]), service)
        if (service, name[:1].upper() + name[1:]) == (gateway_model.SERVICE, gateway_model.OPERATION):
            model = gateway_model.MODEL.operation_model(gateway_model.OPERATION)
            return Operation(gateway_model.SERVICE, gateway_model.OPERATION, sync, model)
        model = self._service(service)
        by_key = {known[:1].lower() + known[1:]: known for known in model.operation_names}
        own = by_key.get(name[:1].lower() + name[1:])
        if own is None:
            raise UnknownOperation(f"names no operation of {service}", word=name, known=tuple(by_key))
        operation = model.operation_model(own)
        if operation.has_event_stream_output or operation.has_event_stream_input:
            raise UnknownOperation("names an operation that answers with a stream of events")
        return Operation(str(model.service_name), own, sync, operation, is_of_sdk=address.startswith(_OF_SDK))

    def _service(self, name: str) -> Any:
        with self._lock:  # botocore's loader is not safe for threads
            key = self._key(name)
            if key not in self._services:
                try:
                    self._services[key] = self._session.get_service_model(key)
                except UnknownServiceError:
                    raise UnknownOperation(f"names no service of AWS: {name}", word=name, known=self._names) from None
            return self._services[key]

    def _key(self, name: str) -> str:
        plain = name.replace("-", "")
        if name in self._names:
            return name
        return _BY_ID.get(plain) or next((known for known in self._names if known.replace("-", "") == plain), name)
