"""What `apigateway:invoke` takes: a request to an API of API Gateway, as AWS Step Functions makes it.

It is no operation of the service's own API, so botocore has no model of it. The model here is that of Step Functions
(AWS, "Create API Gateway REST APIs with Step Functions").
"""

from __future__ import annotations

from typing import Final

from botocore.model import ServiceModel

SERVICE: Final = "apigateway"
OPERATION: Final = "Invoke"
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")

_TEXT: Final = {"shape": "Text"}
_SHAPES: Final = {
    "Text": {"type": "string"},
    "Texts": {"type": "list", "member": _TEXT},
    "TextsByName": {"type": "map", "key": _TEXT, "value": {"shape": "Texts"}},
    "Flag": {"type": "boolean"},
    "Body": {"type": "structure", "members": {}, "document": True},
    "Method": {"type": "string", "enum": list(METHODS)},
    "AuthType": {"type": "string", "enum": ["NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"]},
    "InvokeRequest": {
        "type": "structure",
        "required": ["ApiEndpoint", "Method"],
        "members": {
            "ApiEndpoint": _TEXT,
            "Method": {"shape": "Method"},
            "Stage": _TEXT,
            "Path": _TEXT,
            "Headers": {"shape": "TextsByName"},
            "QueryParameters": {"shape": "TextsByName"},
            "RequestBody": {"shape": "Body"},
            "AllowNullValues": {"shape": "Flag"},
            "AuthType": {"shape": "AuthType"},
        },
    },
}
MODEL: Final = ServiceModel(
    {
        "metadata": {"serviceId": "ApiGateway", "protocol": "rest-json", "endpointPrefix": "execute-api"},
        "operations": {OPERATION: {"name": OPERATION, "input": {"shape": "InvokeRequest"}}},
        "shapes": _SHAPES,
    },
    SERVICE,
)
