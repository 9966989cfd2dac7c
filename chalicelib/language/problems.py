"""Everything that can be wrong with a document, one line per problem, and how a problem is shown.

FSL1xx: the text cannot be read. FSL2xx: it can, and cannot be run. FSL3xx: it can be run, and may not do what was
meant (warnings). Codes and slugs are stable; messages may be reworded.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from chalicelib.language.limits import DIAGNOSTICS, NAME_CHARACTERS
from chalicelib.language.source import Source, Span

Severity: TypeAlias = Literal["error", "warning"]

_SHOWN_CHARACTERS: Final = 80
_SHOWN_LINE: Final = 160
_CANDIDATES: Final = 5_000
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Problem(Enum):
    """A problem's code and message; its slug is its name (`UNKNOWN_TARGET` -> `unknown-target`)."""

    ILLEGAL_CHARACTER = "FSL101", "{found} cannot stand here"
    UNTERMINATED_STRING = "FSL102", "the string that begins here is never closed"
    UNTERMINATED_COMMENT = "FSL103", "the comment that begins here is never closed"
    UNTERMINATED_EXPRESSION = "FSL104", "the expression that begins here is never closed"
    UNCLOSED_BRACKET = "FSL105", "'{bracket}' is not closed before {found}"
    UNMATCHED_BRACKET = "FSL106", "'{bracket}' closes nothing"
    NESTED_TOO_DEEPLY = "FSL107", "brackets are nested more than {limit} deep"
    DOCUMENT_TOO_LARGE = "FSL108", "the document has {count} characters; {limit} are allowed"
    EMPTY_DOCUMENT = "FSL109", "nothing to do: expected action, flow or flow_run"
    SYNTAX = "FSL110", "expected {expected}, found {found}"
    MISSING_SEPARATOR = "FSL111", "expected '/' between two statements, found {found}"
    UNKNOWN_STATEMENT = "FSL112", "expected action, flow or flow_run, found '{found}'"
    WRONG_END = "FSL113", "{kind} '{name}' ends with {found}, not with {kind}_end"
    NUMBER_OUT_OF_RANGE = "FSL114", "{found} is out of range: {range}"
    DURATION_OUT_OF_RANGE = "FSL115", "a duration is positive and at most 366 days long"
    INVALID_EXPRESSION = "FSL116", "the expression cannot be read: {reason}"

    DUPLICATE_STATEMENT = "FSL201", "{kind} '{name}' stands twice in this document"
    DUPLICATE_STEP = "FSL202", "step '{name}' stands twice in {flow}"
    UNKNOWN_ACTION = "FSL203", "{owner} names action '{name}', which does not exist"
    UNKNOWN_TARGET = "FSL204", "{route} of step '{step}' leads to '{target}', which is not a step"
    UNKNOWN_FLOW = "FSL205", "flow '{name}' does not exist"
    UNKNOWN_STATE = "FSL206", "step '{step}' routes state '{state}', which {source} does not return"
    UNREACHABLE_ROUTE = "FSL207", "this route can never be taken: {reason}"
    UNKNOWN_PROPERTY = "FSL208", "unknown property '{name}' of {owner}"
    DUPLICATE_PROPERTY = "FSL209", "'{name}' stands twice in {owner}"
    MISSING_PROPERTY = "FSL210", "{owner} lacks '{name}'"
    WRONG_VALUE = "FSL211", "'{name}' needs {needed}, not {found}"
    UNKNOWN_ARG = "FSL212", "{owner} has no {what} '{name}'"
    DUPLICATE_ENTRY = "FSL213", "'{name}' stands twice in {group}"
    MISSING_ARG = "FSL214", "{step} does not give {what} '{name}' ({type}) of {owner}"
    WRONG_TYPE = "FSL215", "'{name}' is of type {type}, which {found} is not"
    UNKNOWN_TYPE = "FSL216", "unknown type '{name}': expected str, int, float, bool, list, map or any"
    RESERVED_NAME = "FSL217", "'{name}' is a name that Echoer uses itself"
    INVALID_ADDRESS = "FSL218", "address '{address}' {reason}"
    NEEDLESS_ADDRESS = "FSL219", "action '{name}' is human: a person answers it, it has no address"
    TOO_MANY = "FSL220", "{count} {what}; {limit} are allowed"
    OUT_OF_RANGE = "FSL221", "'{name}' is {found}; it must be {range}"
    CONFLICTING_INPUT = "FSL222", "input '{name}' would be {type} here and is {other} elsewhere in {flow}"
    INVALID_NAME = "FSL223", "{reason}"
    NO_STEPS = "FSL224", "{owner} has no steps"
    MISPLACED_ROUTE = "FSL225", "{reason}"
    NEVER_WAITS = "FSL226", "steps {path} lead round and round without ever waiting"
    RECURSIVE_CALL = "FSL227", "flow '{flow}' would call itself: {path}"
    CHOOSE_ONE = "FSL228", "{owner} needs exactly one of {names}"
    MISPLACED_STEP = "FSL229", "{what} cannot stand in {owner}"
    UNKNOWN_STEP_KIND = "FSL230", "unknown kind of step '{name}': expected {kinds}"
    MISPLACED_SECRET = "FSL231", "secret '{secret}' cannot stand in '{name}'"
    SECRET_IN_DOCUMENT = "FSL232", "a secret does not belong into a document: '{name}' is secret"
    SECRET_INTO_PLAIN = "FSL233", "{what} is secret, and {owner} takes '{name}' as a plain arg"
    NEEDLESS_SIGNATURE = "FSL234", "action '{name}' is human: a person answers it, and signs nothing"
    TOO_MANY_PROBLEMS = "FSL299", "there are more problems than these {limit}"

    UNROUTED_STATE = "FSL301", "step '{step}' does not route state {state} of {source}: the run would be stopped"
    UNREACHABLE_STEP = "FSL302", "nothing leads to step '{step}'"
    NEVER_ENDS = "FSL303", "{owner} can never reach done or stopped"
    NO_ADDRESS = "FSL304", "action '{name}' has no address: its deliveries will fail"
    MAY_MATCH_NOTHING = "FSL305", "deci '{step}' may match nothing: its last route is not else"
    UNREADABLE_ROOTS = "FSL306", "capem is not the base64 of a PEM bundle: {reason}"
    UNSEEN_SECRET = "FSL307", "{path} is secret: only secret args, secret variables and conditions see its value"

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def template(self) -> str:
        """The message, with names in braces where `Findings.report` fills in words."""
        return self.value[1]

    @property
    def slug(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("FSL3") else "error"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem at one place. Lines and columns count from 1; the end column is the first one behind the place."""

    severity: Severity
    code: str
    slug: str
    message: str
    line: int
    column: int
    end_line: int
    end_column: int
    hint: str | None = None


class Findings:
    """The problems found so far; keeps no more of them than can be reported."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[Severity, list[tuple[int, Diagnostic]]] = {"error": [], "warning": []}
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}

    @property
    def errors(self) -> int:
        """How many errors were reported, kept or not."""
        return self._counts["error"]

    def report(
        self, problem: Problem, span: Span, *, hint: str | None = None, near: Suggestion | None = None, **words: object
    ) -> None:
        """Adds a problem. `words` fill its message; `near` suggests a name if no `hint` is given."""
        self._counts[problem.severity] += 1
        kept = self._kept[problem.severity]
        if len(kept) >= DIAGNOSTICS:
            return
        shown = {key: displayed(word) if isinstance(word, str) else word for key, word in words.items()}
        line, column = self._source.position(span.start)
        end_line, end_column = self._source.position(span.end)
        diagnostic = Diagnostic(
            problem.severity, problem.code, problem.slug, problem.template.format(**shown),
            line, column, end_line, end_column, hint or (near.hint() if near else None),
        )  # fmt: skip
        kept.append((span.start, diagnostic))

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found, by position; errors are preferred where there is too much."""
        kept = [*self._kept["error"], *self._kept["warning"]]
        found = in_order(diagnostic for _, diagnostic in kept)
        return found if sum(self._counts.values()) <= DIAGNOSTICS else _cut(found)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics by position, cut where there are too many to report."""
    unique = dict.fromkeys(diagnostics)
    found = tuple(sorted(unique, key=lambda one: (one.line, one.column, one.code)))
    return found if len(found) <= DIAGNOSTICS else _cut(found)


def _cut(found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    more = Problem.TOO_MANY_PROBLEMS
    errors = [one for one in found if one.severity == "error" and one.code != more.code][:DIAGNOSTICS]
    warnings = [one for one in found if one.severity == "warning"][: DIAGNOSTICS - len(errors)]
    kept = in_order([*errors, *warnings])
    last = kept[-1]
    message = more.template.format(limit=DIAGNOSTICS)
    place = (last.end_line, last.end_column, last.end_line, last.end_column)
    return (*kept, Diagnostic(more.severity, more.code, more.slug, message, *place))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that is not known, and those that are."""

    word: str
    known: Iterable[str]

    def hint(self) -> str | None:
        """`did you mean 'build'?` if one of the known words is near."""
        nearest = self.nearest()
        return f"did you mean '{displayed(nearest)}'?" if nearest is not None else None

    def nearest(self) -> str | None:
        length = len(self.word)
        if length > NAME_CHARACTERS:
            return None
        lowered: dict[str, str] = {}
        for name, _ in zip(self.known, range(_CANDIDATES), strict=False):
            if name != self.word and abs(len(name) - length) <= 1 + length // 2:
                lowered.setdefault(name.lower(), name)
        near = difflib.get_close_matches(self.word.lower(), lowered, n=1, cutoff=0.66)
        return lowered[near[0]] if near else None


def displayed(text: str) -> str:
    """The text, short enough and printable enough for a message."""
    short = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", short)


def render(diagnostic: Diagnostic, text: str, source_name: str) -> str:
    """The diagnostic for a terminal: what and where, the offending line, a caret under the place and the hint.

    ```
    deploy.fsl:12:40: error FSL204 unknown-target: state FAIL of step 'build' leads to 'biuld', which is not a step
       12 |   step build => (SUCCESS->ship | FAIL->biuld) {
          |                                        ^^^^^  did you mean 'build'?
    ```
    """
    line = Source(text).line(diagnostic.line)
    start = min(diagnostic.column - 1, len(line))
    end = diagnostic.end_column - 1 if diagnostic.end_line == diagnostic.line else len(line)
    line, start, end = _window(line, start, max(start + 1, end))
    caret = _blank(line[:start]) + "^" * max(1, len(_blank(line[start:end])))
    place = f"{source_name}:{diagnostic.line}:{diagnostic.column}"
    return "\n".join(
        (
            f"{place}: {diagnostic.severity} {diagnostic.code} {diagnostic.slug}: {diagnostic.message}",
            f"{diagnostic.line:>5} | {_UNPRINTABLE.sub('.', line)}".rstrip(),
            f"      | {caret}" + (f"  {diagnostic.hint}" if diagnostic.hint else ""),
        )
    )


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """As much of a long line as can be shown, and where the place lies in it."""
    if len(line) <= _SHOWN_LINE:
        return line, start, min(end, max(len(line), start + 1))
    left = max(0, start - _SHOWN_LINE // 2)
    return line[left : left + _SHOWN_LINE], start - left, min(end - left, _SHOWN_LINE)


def _blank(text: str) -> str:
    """As much blank as the text is wide, its tabs kept."""
    return "".join(
        "\t" if char == "\t" else " " * (2 if unicodedata.east_asian_width(char) in "WF" else 1) for char in text
    )
