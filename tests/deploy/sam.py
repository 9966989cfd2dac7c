"""Expand a SAM template with AWS's own translator, as CloudFormation does, and lint templates."""

from __future__ import annotations

import copy
import json
from typing import Final

import boto3
from cfnlint.api import lint_all  # type: ignore[import-untyped]
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from deploy import function_url
from deploy.stages import Document

NOT_EVERYWHERE: Final = "Resource type 'AWS::Lambda::Url' does not exist in"
"""Some regions have no Function URLs: a stage there sets ECHOER_CALLBACK_URL=api and ECHOER_FUNCTION_URL=off."""

FUNCTION_URL: Final = "https://moto.lambda-url.eu-central-1.on.aws/"
"""The Function URL in a stack in moto, which has none."""

NOT_IN_MOTO = {
    "AWS::Lambda::Url": "unknown to moto's CloudFormation",
    "AWS::ApiGateway::Deployment": "moto does not read the Body, and deploys no API without calls",
    "AWS::ApiGateway::Stage": "it refers to the deployment",
    "AWS::CloudWatch::Alarm": "unknown to moto's CloudFormation",
    "AWS::Logs::MetricFilter": "unknown to moto's CloudFormation",
}


def expand(template: Document) -> Document:
    """Return the template that CloudFormation creates from the SAM template."""
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-central-1"))
    expanded: Document = translator.translate(copy.deepcopy(template), {})
    return expanded


def lint(template: Document) -> list[str]:
    """Return errors and warnings. cfn-lint does not print informational findings (I...) on the command line either."""
    found = [match for match in lint_all(json.dumps(template)) if not match.rule.id.startswith("I")]
    return [str(match) for match in found if NOT_EVERYWHERE not in str(match)]


def for_moto(template: Document) -> Document:
    """Return the expanded template without the resources that moto cannot create."""
    expanded = expand(template)
    resources = {name: each for name, each in expanded["Resources"].items() if each["Type"] not in NOT_IN_MOTO}
    text = json.dumps({**expanded, "Resources": resources})
    reference = json.dumps({"Fn::GetAtt": [function_url.URL, "FunctionUrl"]})
    known: Document = json.loads(text.replace(reference, json.dumps(FUNCTION_URL)))
    return known
