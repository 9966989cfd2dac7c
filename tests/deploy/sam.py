"""Expand a SAM template with AWS's own translator, as CloudFormation does."""

from __future__ import annotations

import copy

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from deploy.stages import Document

NOT_IN_MOTO = {
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


def for_moto(template: Document) -> Document:
    """Return the expanded template without the resources that moto cannot create."""
    expanded = expand(template)
    resources = {name: each for name, each in expanded["Resources"].items() if each["Type"] not in NOT_IN_MOTO}
    return {**expanded, "Resources": resources}
