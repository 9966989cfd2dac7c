"""FSL: text -> tokens -> tree -> checked definition, and back. Pure: no I/O, no logging, no clock.

`read` parses and checks a text in one call. `parse`, `references` and `check_document` are its steps: a caller can
fetch the definitions that a document refers to between them. No text raises an exception; problems are returned as
diagnostics. `format_text` formats a document; `to_fsl` writes a definition as FSL.

    syntax/   text -> tokens -> tree
    check/    tree -> definition, with diagnostics
    format/   tree or definition -> text
"""

from chalicelib.language.check.catalog import Catalog, KnownNames, References, references
from chalicelib.language.check.checker import Checked, Statement, check_document, read
from chalicelib.language.check.operations import Operations, Shape, UnknownOperation
from chalicelib.language.format.printer import Unreadable, format_text
from chalicelib.language.format.spelling import Unwritable
from chalicelib.language.format.writer import to_fsl
from chalicelib.language.problems import Diagnostic, Problem, render
from chalicelib.language.syntax.parsing import parse
from chalicelib.language.syntax.tree import Document

__all__ = [
    "Catalog",
    "Checked",
    "Diagnostic",
    "Document",
    "KnownNames",
    "Operations",
    "Problem",
    "References",
    "Shape",
    "Statement",
    "UnknownOperation",
    "Unreadable",
    "Unwritable",
    "check_document",
    "format_text",
    "parse",
    "read",
    "references",
    "render",
    "to_fsl",
]
