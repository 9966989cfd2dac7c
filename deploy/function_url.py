"""The Function URL at which actions answer, and who may call it: described once for both forms.

Since October 2025 a Function URL needs two permissions: one for the URL, and one for the function behind it when the
URL calls it (AWS Lambda Developer Guide, "Control access to Lambda function URLs"). The second one does not permit
anyone to call the function directly.
"""

from __future__ import annotations

from typing import Final, TypeVar

from chalicelib.config import BY_API, BY_FUNCTION_URL, CALLBACK_URL
from deploy.stages import API, Document, Stage

_Reference = TypeVar("_Reference", str, Document)

URL: Final = "CallbackUrl"
"""The logical id of the URL."""

_KNOWS: Final = (API, "deliver")

_PUBLIC: Final = "NONE"
_SIGNED: Final = "AWS_IAM"


def auth_type(stage: Stage) -> str:
    """Return what Lambda checks before it calls the function: nothing, or the signature of an AWS identity.

    Where API Gateway verifies signatures of answers, Lambda does, too. Everywhere else actions do not sign for AWS, and
    the function checks who may answer.
    """
    return _SIGNED if stage.needs_signatures else _PUBLIC


def resources(stage: Stage, function: Document) -> Document:
    """Return the URL of the function, to which `function` refers, and its permissions.

    With signatures there are none: the policies of the AWS identities permit the call.
    """
    url = {"TargetFunctionArn": function, "AuthType": auth_type(stage), "InvokeMode": "BUFFERED"}
    made: Document = {URL: {"Type": "AWS::Lambda::Url", "Properties": url}}
    if auth_type(stage) == _PUBLIC:
        of_url = {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": _PUBLIC}
        of_function = {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}
        made[f"{URL}Permission"] = _permission(function, of_url)
        made[f"{URL}InvokePermission"] = _permission(function, of_function)
    return made


def setting(stage: Stage, function: str, url: _Reference) -> dict[str, str | _Reference]:
    """Return the setting of a function that must know where actions answer: it sends it to actions, or shows it.

    `url` refers to the Function URL.
    """
    if function not in _KNOWS or stage.callback_url == BY_API:
        return {}
    return {CALLBACK_URL: url if stage.callback_url == BY_FUNCTION_URL else stage.callback_url}


def template(stage: Stage) -> Document:
    """Return a template with the URL alone. The function is a parameter."""
    return {
        "Description": f"Echoer, stage {stage.name}: the Function URL",
        "Parameters": {"Function": {"Type": "String"}},
        "Resources": resources(stage, {"Ref": "Function"}),
        "Outputs": {URL: {"Value": {"Fn::GetAtt": [URL, "FunctionUrl"]}}},
    }


def _permission(function: Document, what: Document) -> Document:
    properties = {"FunctionName": function, "Principal": "*", **what}
    return {"Type": "AWS::Lambda::Permission", "Properties": properties}
