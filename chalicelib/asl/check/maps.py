"""The fields that only a Map has: where its items come from, how they are batched, where results go."""

from __future__ import annotations

import re
from typing import Final

from chalicelib.asl.check.context import Place, short
from chalicelib.asl.check.objects import Check, Shape, anything, items, kind
from chalicelib.asl.check.queries import expression, is_expression, reference
from chalicelib.asl.check.templates import template
from chalicelib.asl.check.values import number, one_of, or_expression, text, whole
from chalicelib.asl.path_tree import Root

_MAX_ITEMS: Final = 100_000_000
_MAX_NUMBER: Final = 2**31 - 1
_MAX_BATCH_BYTES: Final = 262_144
_MAX_LABEL: Final = 40
_NOT_IN_LABELS: Final = re.compile(r"[\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]")
_READERS: Final = re.compile(r"arn:[^:]+:states:::(s3:(getObject|listObjectsV2)|dynamodb:(scan|query)|\$\{.*)")
_WRITERS: Final = re.compile(r"arn:[^:]+:states:::s3:putObject")

NUMBER_PATH: Final = reference(roots=(Root.INPUT, Root.VARIABLE))
"""The check of a path that a number of a Map is read from: not from the context object (AWS)."""

NUMBERS: Final[dict[str, Check]] = {
    "MaxConcurrency": or_expression(whole(0, _MAX_NUMBER)),
    "ToleratedFailureCount": or_expression(whole(0, _MAX_NUMBER)),
    "ToleratedFailurePercentage": or_expression(number(0, 100)),
}
"""The checks of a Map's numbers."""


def item_list(place: Place) -> None:
    """Check Items: a list, an object, or an expression for one."""
    if isinstance(place.value, list | dict):
        template(place)
    elif isinstance(place.value, str) and is_expression(place.value):
        expression(place)
    else:
        place.error(f"a list, an object or an expression is expected here, and not {kind(place.value)}")


def label(place: Place) -> None:
    """Check the Label of a Map."""
    if not isinstance(place.value, str):
        text(place)
        return
    if not 1 <= len(place.value) <= _MAX_LABEL:
        place.error(f"a label has 1 to {_MAX_LABEL} characters")
    if found := _NOT_IN_LABELS.search(place.value):
        place.error(f"a label cannot contain {short(found.group())}")
    first = place.report.labels.setdefault(place.value, place)
    if first is not place:
        place.error(f"the label {short(place.value)} is given twice: also at {first.pointer}")


def _resource(pattern: re.Pattern[str], allowed: str) -> Check:
    def check(place: Place) -> None:
        if not isinstance(place.value, str):
            text(place)
        elif pattern.match(place.value) is None and "${" not in place.value:
            place.error(f"{short(place.value)} is none of {allowed}")

    return check


_READER_CONFIG: Final = Shape(
    {
        "InputType": one_of("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
        "CSVHeaderLocation": one_of("FIRST_ROW", "GIVEN"),
        "CSVHeaders": lambda place: items(place, text, least=1),
        "CSVDelimiter": one_of("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
        "ManifestType": one_of("S3_INVENTORY", "ATHENA_DATA"),
        "Transformation": one_of("NONE", "LOAD_AND_FLATTEN"),
        "ItemsPointer": text,
        "MaxItems": or_expression(whole(0, _MAX_ITEMS)),
    },
    jsonpath={"MaxItemsPath": NUMBER_PATH},
    exclusive=(("MaxItems", "MaxItemsPath"),),
)


def _reader_config(place: Place) -> None:
    _READER_CONFIG.check(place)
    given = place.value if isinstance(place.value, dict) else {}
    csv = given.get("InputType") == "CSV"
    if csv and "CSVHeaderLocation" not in given:
        place.error("`CSVHeaderLocation` is missing, as the input is CSV")
    if given.get("CSVHeaderLocation") == "GIVEN" and "CSVHeaders" not in given:
        place.error("`CSVHeaders` is missing, as the headers are given")
    if given.get("InputType") in ("JSON", "JSONL", "PARQUET"):
        for name in ("CSVHeaderLocation", "CSVHeaders", "CSVDelimiter"):
            if name in given:
                place.at(name).error(f"`{name}` is for CSV only")


item_reader: Final = Shape(
    {
        "Resource": _resource(_READERS, "`arn:aws:states:::s3:getObject`, `arn:aws:states:::s3:listObjectsV2`"),
        "ReaderConfig": _reader_config,
    },
    jsonpath={"Parameters": template},
    jsonata={"Arguments": template},
    required=("Resource",),
).check
"""The check of ItemReader."""

_BATCHER: Final = Shape(
    {
        "MaxItemsPerBatch": or_expression(whole(0, _MAX_NUMBER)),
        "MaxInputBytesPerBatch": or_expression(whole(0, _MAX_BATCH_BYTES)),
        "BatchInput": template,
    },
    jsonpath={"MaxItemsPerBatchPath": NUMBER_PATH, "MaxInputBytesPerBatchPath": NUMBER_PATH},
    exclusive=(("MaxItemsPerBatch", "MaxItemsPerBatchPath"), ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath")),
)
_SIZES: Final = ("MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath")


def item_batcher(place: Place) -> None:
    """Check ItemBatcher: one of its sizes must be given."""
    _BATCHER.check(place)
    if isinstance(place.value, dict) and not any(name in place.value for name in _SIZES):
        place.error("`MaxItemsPerBatch` or `MaxInputBytesPerBatch` is missing")


_WRITER: Final = Shape(
    {
        "Resource": _resource(_WRITERS, "`arn:aws:states:::s3:putObject`"),
        "WriterConfig": Shape(
            {"Transformation": one_of("NONE", "COMPACT", "FLATTEN"), "OutputType": one_of("JSON", "JSONL")}
        ).check,
    },
    jsonpath={"Parameters": template},
    jsonata={"Arguments": template},
)


def result_writer(place: Place) -> None:
    """Check ResultWriter: it says where to, how, or both."""
    _WRITER.check(place)
    if isinstance(place.value, dict) and not place.value.keys() & {"Resource", "WriterConfig"}:
        place.error("`Resource` or `WriterConfig` is missing")


_INLINE: Final = Shape({"Mode": one_of("INLINE", "DISTRIBUTED")})
_DISTRIBUTED: Final = Shape(
    {"Mode": anything, "ExecutionType": one_of("STANDARD", "EXPRESS")}, required=("ExecutionType",)
)


def processor_config(place: Place) -> None:
    """Check ProcessorConfig: only a distributed Map has an execution type."""
    distributed = isinstance(place.value, dict) and place.value.get("Mode") == "DISTRIBUTED"
    (_DISTRIBUTED if distributed else _INLINE).check(place)
