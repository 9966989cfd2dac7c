"""Text -> document: scanning, balancing and parsing in a row."""

from __future__ import annotations

from chalicelib.language.limits import DOCUMENT_CHARACTERS
from chalicelib.language.problems import Diagnostic, Findings, Problem
from chalicelib.language.source import Source, Span
from chalicelib.language.syntax.brackets import balance
from chalicelib.language.syntax.grammar import statements_of
from chalicelib.language.syntax.tokens import scan
from chalicelib.language.syntax.tree import Document


def parse(text: str) -> tuple[Document, tuple[Diagnostic, ...]]:
    """The document that a text holds, as far as it can be read, and everything that keeps it from being read.

    Never raises, whatever the text. Takes time in proportion to its length.
    """
    if len(text) > DOCUMENT_CHARACTERS:
        findings = Findings(Source(""))
        findings.report(Problem.DOCUMENT_TOO_LARGE, Span(0, 0), count=len(text), limit=DOCUMENT_CHARACTERS)
        return Document("", (), (), damaged=True), findings.diagnostics()
    findings = Findings(Source(text))
    found = scan(text, findings)
    tokens = balance(found.tokens, findings, cut=found.cut)
    statements = statements_of(tokens, findings, cut=found.cut)
    if not statements and not findings.errors:
        findings.report(Problem.EMPTY_DOCUMENT, tokens[-1].span)
    document = Document(text, statements, found.comments, damaged=findings.errors > 0)
    return document, findings.diagnostics()
