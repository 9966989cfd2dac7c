"""ItemReader and ResultWriter of Maps: a step before the each, which reads its items from S3, and one behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.asl.convert.flow.scopes import FIELD
from chalicelib.asl.convert.flow.steps import Entry, Route, Sent, Step
from chalicelib.asl.convert.jsonata.documents import Document, Obj, as_expression, get
from chalicelib.asl.convert.jsonata.expressions import (
    RESULT,
    Expr,
    Func,
    Get,
    Literal,
    Op,
    Text,
    Var,
    Variable,
    Word,
    bare,
)
from chalicelib.asl.convert.jsonata.unsayable import Unsayable
from chalicelib.asl.convert.states.drafts import Exit
from chalicelib.asl.convert.states.failures import ALL, TASK_FAILED, Failures, error_names
from chalicelib.asl.convert.states.reader import Reader
from chalicelib.asl.convert.states.resources import read_resource
from chalicelib.asl.problems import Level

_OK: Final = ("OK",)
_ROWS: Final = '[$split($result.Body, /\\r?\\n/)[$ != ""]]'
_FIELDS: Final = """$fields := function($row) {
            $match($row & ",", /("([^"]|"")*"|[^,]*),/).(
                $text := groups[0];
                $substring($text, 0, 1) = "\\""
                    ? $replace($substring($text, 1, $length($text) - 2), "\\"\\"", "\\"")
                    : $text
            )
        };"""
_RECORDS: Final = """$map($lines, function($line) {(
            $values := [$fields($line)];
            $merge($map($names, function($name, $i) { { $name: $exists($values[$i]) ? $values[$i] : "" } }))
        )})"""
_FROM_SECOND: Final = "[$filter($rows, function($row, $i) { $i > 0 })]"
_READ_ERRORS: Final = frozenset({ALL, TASK_FAILED, "States.ItemReaderFailed"})


def items_reader(reader: Reader) -> tuple[Step, Document, list[Exit]]:
    """Return the step that reads the items, the items, and where its errors lead. Raises Unsayable."""
    try:
        found = _ItemReader(reader, reader.state["ItemReader"])
        step, items = found.read()
    except Unsayable as problem:
        raise problem.at("ItemReader") from None
    return step, items, _caught(reader)


def _caught(reader: Reader) -> list[Exit]:
    """Return where the errors of the step that reads lead: to the first catcher that takes them."""
    catchers = reader.state.get("Catch")
    for catcher in catchers if isinstance(catchers, list) else ():
        if _READ_ERRORS.intersection(error_names(catcher)):
            return reader.caught_by({**catcher, "ErrorEquals": [ALL]}, Failures(), is_before=True)
    return []


class _ItemReader:
    """Reads one ItemReader."""

    def __init__(self, reader: Reader, written: Any) -> None:
        if not isinstance(written, dict):
            raise Unsayable("an ItemReader must be an object")
        self.reader = reader
        self.written: Mapping[str, Any] = written
        config = written.get("ReaderConfig")
        self.config: Mapping[str, Any] = config if isinstance(config, dict) else {}

    def read(self) -> tuple[Step, Document]:
        resource = read_resource(str(self.written.get("Resource")))
        operation = f"{resource.service.removeprefix('aws-sdk:')}:{resource.operation}"
        if operation == "s3:getObject":
            return self._object()
        if operation == "s3:listObjectsV2":
            return self._listed()
        raise Unsayable(f"items cannot be read by `{operation[:60]}`", "Resource")

    def _args(self) -> Document:
        name = "Arguments" if self.reader.is_jsonata else "Parameters"
        if name not in self.written:
            raise Unsayable(f"an ItemReader needs {name}")
        return self.reader.input.field(self.written, name)

    def _step(self, wish: str, operation: str, args: Document) -> Step:
        properties = {"addr": operation, "method": "aws", "return": "(OK)"}
        step = Step("step", self.reader.name, action=self.reader.machine.actions.take(wish, properties))
        step.properties["args"] = Sent(args, group=True)
        return step

    # ── one object ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _object(self) -> tuple[Step, Document]:
        step = self._step("s3_get_object", "s3:getObject", self._args())
        self.reader.tell(Level.WARNING, "the object that holds the items may have at most 256 KiB", "ItemReader")
        kind = self.config.get("InputType", "JSON")
        if kind == "JSON":
            items: Expr = Func("$parse", (Get(RESULT, "Body"),))
            for name in str(self.config.get("ItemsPointer", "")).split("/")[1:]:
                items = Get(items, name.replace("~1", "/").replace("~0", "~"))
        elif kind == "JSONL":
            items = Text((f"[$map({_ROWS}, function($line) {{ $parse($line) }})]",), 100)
        elif kind == "CSV":
            items = self._table()
        else:
            raise Unsayable(f"items of the type `{str(kind)[:20]}` cannot be read", "ReaderConfig", "InputType")
        return step, self._first(items)

    def _table(self) -> Expr:
        if self.config.get("CSVDelimiter", "COMMA") != "COMMA":
            raise Unsayable("only commas can divide the values of a CSV", "ReaderConfig", "CSVDelimiter")
        headers = self.config.get("CSVHeaders")
        if self.config.get("CSVHeaderLocation") == "GIVEN" and isinstance(headers, list):
            if len({str(header) for header in headers}) < len(headers):
                raise Unsayable("two columns of a CSV have the same header", "ReaderConfig", "CSVHeaders")
            names: tuple[str | Expr, ...] = ("$names := ", Literal(headers), ";\n        $lines := $rows;")
        else:
            names = (f"$names := [$fields($rows[0])];\n        $lines := {_FROM_SECOND};",)
        start = f"(\n        $rows := {_ROWS};\n        {_FIELDS}\n        "
        return Text((start, *names, f"\n        [{_RECORDS}]\n    )"), 100)

    def _first(self, items: Expr) -> Expr:
        """Return the first items, as many as MaxItems says."""
        if self.reader.is_jsonata or "MaxItems" in self.config:
            most = self.reader.values.field(self.config, "MaxItems") if "MaxItems" in self.config else None
        else:
            path = self.config.get("MaxItemsPath")
            most = None if path is None else self.reader.input.path(path)
        if most is None or (isinstance(most, Literal) and not most.value):
            return items
        number = bare(as_expression(most))
        return Text(("[$filter(", items, ", function($v, $i) { $i < ", number, " })]"), 100)

    # ── all objects of a bucket ──────────────────────────────────────────────────────────────────────────────────────

    def _listed(self) -> tuple[Step, Document]:
        """Read page after page: as long as there is a token, the step leads to itself."""
        args = self._args()
        if not isinstance(args, (Obj, Literal)):
            raise Unsayable("the parameters of an ItemReader must be an object")
        members = args.members if isinstance(args, Obj) else {name: Literal(one) for name, one in args.value.items()}
        scope = self.reader.scope
        objects, page = (scope.pages.setdefault((self.reader.name, wish), Variable(wish, scope.number, FIELD))
                         for wish in ("objects", "page"))  # fmt: skip
        step = self._step("s3_list_objects", "s3:listObjectsV2", Obj(None, {**members, "ContinuationToken": Var(page)}))
        before: Expr = Text((Var(page), " = null ? [] : ", Var(objects)), 5)
        found = Func("$append", (before, Get(RESULT, "Contents")))
        more = Route(_OK, "", Op("=", (Get(RESULT, "IsTruncated"), Literal(True))))
        more.entries = [Entry(objects, found), Entry(page, Get(RESULT, "NextContinuationToken"))]
        last = Route(_OK, "")
        last.entries = [Entry(objects, found), Entry(page, Literal(None))]
        step.routes = [more, last]
        return step, self._first(Var(objects))


# ── ResultWriter ─────────────────────────────────────────────────────────────────────────────────────────────────────


def results_writer(reader: Reader) -> tuple[Step, Document]:
    """Return the step that writes the outputs of the items, and its result as AWS has it. Raises Unsayable."""
    written = reader.state["ResultWriter"]
    try:
        if not isinstance(written, dict) or "Resource" not in written:
            raise Unsayable("a ResultWriter needs a Resource")
        resource = read_resource(str(written["Resource"]))
        if f"{resource.service}:{resource.operation}" != "s3:putObject":
            raise Unsayable("results can only be written by `s3:putObject`", "Resource")
        name = "Arguments" if reader.is_jsonata else "Parameters"
        if name not in written:
            raise Unsayable(f"a ResultWriter needs {name}")
        given = reader.input.field(written, name)
    except Unsayable as problem:
        raise problem.at("ResultWriter") from None
    reader.tell(Level.WARNING, "the results are written as one object, a list", "ResultWriter")
    bucket, prefix = (bare(as_expression(get(given, one))) for one in ("Bucket", "Prefix"))
    key = Op("&", (prefix, Literal("/"), Get(Word("$run"), "id"), Literal("/SUCCEEDED_0.json")))
    properties = {"addr": "s3:putObject", "method": "aws", "return": "(OK)"}
    step = Step("step", reader.name, action=reader.machine.actions.take("s3_put_object", properties))
    args: dict[str, Document] = {"Bucket": bucket, "Key": key, "Body": Func("$string", (RESULT,))}
    step.properties["args"] = Sent(Obj(None, args), group=True)
    details: dict[str, Document] = {"Bucket": bucket, "Key": key}
    return step, Obj(None, {"MapRunArn": Get(Word("$run"), "id"), "ResultWriterDetails": Obj(None, details)})
