"""Results as JUnit XML, which build servers read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as Xml

from chalicelib.model.visible_text import visible
from fsl.testing.report import describe
from fsl.testing.suite import Result

_FORBIDDEN: Final = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(results: Iterable[Result]) -> bytes:
    """Return one `testsuite` for each file. `time` is the virtual duration of the run in seconds."""
    root = Xml.Element("testsuites", name="fsl test")
    for file, group in groupby(results, key=lambda result: result.file):
        root.append(_suite(file, list(group)))
    for what in ("tests", "failures", "errors"):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(file: str, results: Sequence[Result]) -> Xml.Element:
    failures, file = sum(not result.ok for result in results), _clean(file)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suite = Xml.Element("testsuite", {"name": file, **counts})
    for result in results:
        seconds = f"{result.run.duration / 1000:.3f}"
        place = {"classname": file, "file": file, "line": str(result.line), "time": seconds}
        case = Xml.SubElement(suite, "testcase", {"name": _clean(result.case.name), **place})
        if not result.ok:
            message = "; ".join(f"{one.what}: {one.message}" for one in result.failures)
            failure = Xml.SubElement(case, "failure", {"message": _clean(message), "type": "expectation"})
            failure.text = _clean("\n".join(describe(result)))
    return suite


def _clean(text: str) -> str:
    """Escape the characters that change what a terminal shows, and replace those that XML does not allow."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", visible(text, lines=True))
