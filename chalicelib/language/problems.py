"""Every problem that a document can have, one line per problem, and how a diagnostic is rendered.

FSL1xx: the text cannot be parsed. FSL2xx: the text can be parsed but not run. FSL3xx: the document can be run but may
not do what its author intended (warnings). Codes and slugs are stable; messages may change.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from chalicelib.language.limits import MAX_DIAGNOSTICS, MAX_NAME_CHARACTERS
from chalicelib.language.source import Source, Span
from chalicelib.language.statements import ANY_STATEMENT
from chalicelib.model.hooks import ANY_HOOK_EVENT
from chalicelib.model.similar_names import nearest
from chalicelib.model.visible_text import UNSAFE

Severity: TypeAlias = Literal["error", "warning"]

_MAX_SHOWN_CHARACTERS: Final = 80
_MAX_LINE_CHARACTERS: Final = 160
_MAX_CANDIDATES: Final = 5_000
_MAX_COMPARISONS: Final = 200_000
"""Characters of a word times those of the names that it is compared with, roughly."""
_UNPRINTABLE: Final = re.compile(f"(?!\t)[{UNSAFE}]")


class Problem(Enum):
    """A problem's code and message; its slug is its name (`UNKNOWN_TARGET` -> `unknown-target`)."""

    ILLEGAL_CHARACTER = "FSL101", "{found} is not allowed here"
    UNTERMINATED_STRING = "FSL102", "this string has no closing quote"
    UNTERMINATED_COMMENT = "FSL103", "this comment has no closing '*/'"
    UNTERMINATED_EXPRESSION = "FSL104", "this expression has no closing brace"
    UNCLOSED_BRACKET = "FSL105", "'{bracket}' has no closing bracket before {found}"
    UNMATCHED_BRACKET = "FSL106", "'{bracket}' has no matching opening bracket"
    NESTED_TOO_DEEPLY = "FSL107", "brackets are nested more than {limit} levels deep"
    DOCUMENT_TOO_LARGE = "FSL108", "the document has {count} {what}; the limit is {limit}"
    EMPTY_DOCUMENT = "FSL109", f"the document is empty: expected {ANY_STATEMENT}"
    SYNTAX = "FSL110", "expected {expected}, found {found}"
    MISSING_SEPARATOR = "FSL111", "expected '/' between two statements, found {found}"
    UNKNOWN_STATEMENT = "FSL112", f"unknown statement '{{found}}': expected {ANY_STATEMENT}"
    WRONG_END = "FSL113", "{kind} '{name}' ends with {found}; expected {kind}_end"
    NUMBER_OUT_OF_RANGE = "FSL114", "{found} is out of range: {range}"
    DURATION_OUT_OF_RANGE = "FSL115", "{found} is out of range: a duration is at least 1ms and at most 366d"
    INVALID_EXPRESSION = "FSL116", "invalid expression: {reason}"

    DUPLICATE_STATEMENT = "FSL201", "{kind} '{name}' is defined twice in this document"
    DUPLICATE_STEP = "FSL202", "step '{name}' is defined twice in {flow}"
    UNKNOWN_ACTION = "FSL203", "{owner} uses action '{name}', which does not exist"
    UNKNOWN_TARGET = "FSL204", "{route} of step '{step}' leads to '{target}', which is not a step"
    UNKNOWN_FLOW = "FSL205", "flow '{name}' does not exist"
    UNKNOWN_STATE = "FSL206", "step '{step}' routes state '{state}', which {source} does not return"
    UNREACHABLE_ROUTE = "FSL207", "this route can never be taken: {reason}"
    UNKNOWN_PROPERTY = "FSL208", "unknown property '{name}' of {owner}"
    DUPLICATE_PROPERTY = "FSL209", "'{name}' is set twice in {owner}"
    MISSING_PROPERTY = "FSL210", "{owner} has no '{name}', which is required"
    WRONG_VALUE = "FSL211", "'{name}' must be {needed}, not {found}"
    UNKNOWN_ARG = "FSL212", "{owner} has no {what} '{name}'"
    DUPLICATE_ENTRY = "FSL213", "'{name}' appears twice in {group}"
    MISSING_ARG = "FSL214", "{step} must set {what} '{name}' ({type}) of {owner}"
    WRONG_TYPE = "FSL215", "'{name}' has type {type}, but its value is {found}"
    UNKNOWN_TYPE = "FSL216", "unknown type '{name}': expected str, int, float, bool, list, map or any"
    RESERVED_NAME = "FSL217", "'{name}' is a reserved name"
    INVALID_ADDRESS = "FSL218", "address '{address}' {reason}"
    NEEDLESS_ADDRESS = "FSL219", "action '{name}' is human and has no address: remove 'addr'"
    TOO_MANY = "FSL220", "too many {what}: {count}; the limit is {limit}"
    OUT_OF_RANGE = "FSL221", "'{name}' is {found}; it must be {range}"
    CONFLICTING_INPUT = "FSL222", "input '{name}' has type {type} here but type {other} elsewhere in {flow}"
    INVALID_NAME = "FSL223", "invalid name: {reason}"
    NO_STEPS = "FSL224", "{owner} has no steps"
    MISPLACED_ROUTE = "FSL225", "this route is not allowed here: {reason}"
    NEVER_WAITS = "FSL226", "steps {path} form a cycle that never waits and that no route leaves"
    RECURSIVE_CALL = "FSL227", "flow '{flow}' calls itself: {path}"
    CHOOSE_ONE = "FSL228", "{owner} must have exactly one of {names}"
    MISPLACED_STEP = "FSL229", "{what} is not allowed in {owner}"
    UNKNOWN_STEP_KIND = "FSL230", "unknown step kind '{name}': expected {kinds}"
    MISPLACED_SECRET = "FSL231", "secret '{secret}' is not allowed in '{name}'"
    SECRET_IN_DOCUMENT = "FSL232", "'{name}' is secret: its value must not be in the document"
    SECRET_INTO_PLAIN = "FSL233", "{what} is secret, but {owner} declares '{name}' without secret"
    NEEDLESS_SIGNATURE = "FSL234", "action '{name}' is human, so its answers cannot be signed: remove 'callback'"
    UNDO_WITHOUT_STATES = "FSL235", "{source} can return {states}: the undo of {owner} must say after which states"
    UNKNOWN_UNDO = "FSL236", "{owner} is undone by '{name}', which is neither an action nor a flow"
    UNKNOWN_UNDO_STATE = "FSL237", "the undo of {owner} is on state '{state}', which {source} does not declare"
    USELESS_UNDO = "FSL238", "the undo of {owner} can never run: {reason}"
    UNKNOWN_REPEAT = "FSL239", "{owner} repeats on state '{state}', which {source} does not return"
    UNREACHABLE_RULE = "FSL240", "this rule can never be used: an earlier rule of 'repeat' matches every {state}"
    UNKNOWN_ENTRY = "FSL241", "a route to {target} cannot set '{name}': it takes only {allowed}"
    MISPLACED_PATH = (
        "FSL242",
        "'{path}' is not allowed in '{name}': only 'save' and routes can set members of variables",
    )
    SECRET_MEMBER = "FSL243", "variable '{name}' is secret: set the whole variable instead of its member '{path}'"
    UNREADABLE_ROOTS = "FSL244", "capem is not a base64-encoded PEM bundle of certificates: {reason}"
    UNDO_TAKES_LIST = (
        "FSL245",
        "{owner} cannot be undone by flow '{name}': the flow takes a list as its input, and an undo gives a map",
    )
    INVALID_DURATION = (
        "FSL250",
        "{found} is not a duration: combined units go from large to small, each once, with whole numbers, like 1h30m",
    )
    WAITS_FOR_EVER = "FSL251", "{owner} never ends: {reason}"
    UNFIT_ACTION = "FSL258", "action '{name}' cannot be used in '{property}': {reason}"
    UNUSABLE_FLOW = "FSL259", "flow '{name}' cannot be used in {owner}: {reason}"
    CONFLICTING_VARIABLE = "FSL260", "variable '{name}' of flow '{flow}' is also one of {owner}, and differs from it"
    INVALID_CRON = "FSL266", "{reason}"
    NEVER_FIRES = "FSL267", "{owner} never starts a run: {reason}"
    UNKNOWN_ZONE = "FSL268", "'{name}' is no time zone"
    UNREADABLE_NAME = "FSL269", "'${name}' is not known in {owner}: it can read only $scheduled and $now"
    SECRET_IN_EVENT = "FSL274", "'{name}' is secret, but the data of events is stored as it is"
    UNKNOWN_CONFIG = "FSL275", "config '{name}' does not exist"
    WHOLE_CONFIG = "FSL276", "$config must be followed by the name of a value: $config.NAME"
    NEEDLESS_LIMIT = "FSL295", "'{name}' of a limit has no effect without {needed}"
    UNKNOWN_HOOK_EVENT = "FSL277", f"'{{name}}' is no event of a hook: expected {ANY_HOOK_EVENT}"
    HOOK_ON_NOTHING = "FSL278", f"a hook needs at least one event: {ANY_HOOK_EVENT}"
    NO_DIRECT_ANSWER = "FSL282", "action '{name}' cannot have callback = none: {reason}"
    NEEDS_DIRECT_ANSWER = "FSL283", "'{property}' of {owner} {reason}"
    NEEDLESS_WITHOUT_CALLBACK = (
        "FSL284",
        "'{property}' of {owner} has no effect: action '{name}' has callback = none, so its answer is what the "
        "request returns",
    )
    UNKNOWN_PLACEHOLDER = "FSL285", "address '{address}' has '{placeholder}', and action '{name}' has no such arg"
    MISPLACED_PLACEHOLDER = "FSL286", "'{placeholder}' is not allowed in address '{address}': {reason}"
    ONE_VALUE = "FSL287", "{owner} takes one value (args = any): {reason}"
    UNFIT_ARG = "FSL289", "arg '{name}' has type {type}, but {operation} takes {wanted} for it"
    NEEDS_OPERATION = "FSL290", "'{property}' of {owner} needs method = aws"
    NEEDLESS_FOR_OPERATION = "FSL291", "'{property}' of {owner} has no effect: an operation of AWS takes only args"
    NEEDLESS_BREAKER = "FSL296", "action '{name}' is human, so none of its deliveries fail: remove 'breaker'"
    TOO_MANY_PROBLEMS = "FSL299", "{count} more problems are not shown: the limit is {limit}"

    UNROUTED_STATE = "FSL301", "step '{step}' has no route for state {state} of {source}: that state would stop the run"
    UNREACHABLE_STEP = "FSL302", "no route leads to step '{step}'"
    NEVER_ENDS = "FSL303", "{owner} can never reach done or stopped"
    NO_ADDRESS = "FSL304", "action '{name}' has no address: its deliveries will fail"
    MAY_MATCH_NOTHING = "FSL305", "deci '{step}' may match no route: make its last route else"
    UNUSED_STATE = "FSL330", "action '{name}' can never return state '{state}': no status leads to it"
    IGNORED_BY_USE = "FSL324", "flow '{flow}' has {names}, which does not apply where its steps are used"
    UNSEEN_SECRET = "FSL307", "{path} is secret: only secret args, secret variables and conditions can read its value"
    UNSET_VARIABLE = "FSL308", "{owner} reads variable '{name}', but no step sets it and no vars declare it"
    LOOP_WITHOUT_PAUSE = "FSL309", "{state} leads step '{step}' back to itself without a pause or an end"
    NULL_OUTPUT = "FSL321", "the output of {owner} is read, but is always null: its last steps bring no result"
    EITHER_DAY = "FSL326", "'{cron}' names days of the month and of the week: it matches where either does"

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def template(self) -> str:
        """The message, with names in braces that `Findings.report` replaces."""
        return self.value[1]

    @property
    def slug(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("FSL3") else "error"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem and its range in the text. Lines and columns count from 1; the end column is exclusive."""

    severity: Severity
    code: str
    slug: str
    message: str
    line: int
    column: int
    end_line: int
    end_column: int
    hint: str | None = None
    hidden: int = 0
    """How many problems are not shown. Only the last of too many diagnostics has this number."""


class Findings:
    """The problems found so far. Keeps at most as many as can be reported."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: dict[Severity, list[tuple[int, Diagnostic]]] = {"error": [], "warning": []}
        self._counts: dict[Severity, int] = {"error": 0, "warning": 0}

    @property
    def errors(self) -> int:
        """The number of reported errors, including those that are not kept."""
        return self._counts["error"]

    def report(
        self, problem: Problem, span: Span, *, hint: str | None = None, near: Suggestion | None = None, **words: object
    ) -> None:
        """Add a problem. `words` fill its message; `near` suggests a name if there is no `hint`."""
        self._counts[problem.severity] += 1
        kept = self._kept[problem.severity]
        if len(kept) >= MAX_DIAGNOSTICS:
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
        """Return the diagnostics in order of position; errors take precedence over warnings beyond the limit."""
        kept = [diagnostic for _, diagnostic in (*self._kept["error"], *self._kept["warning"])]
        return in_order(kept, hidden=sum(self._counts.values()) - len(kept))


def in_order(diagnostics: Iterable[Diagnostic], *, hidden: int = 0) -> tuple[Diagnostic, ...]:
    """Return the diagnostics in order of position, truncated to the limit.

    Errors take precedence over warnings. `hidden` is the number of further problems; the last diagnostic says how many
    are not shown.
    """
    unique = tuple(dict.fromkeys(diagnostics))
    hidden += sum(one.hidden for one in unique)
    found = sorted((one for one in unique if not one.hidden), key=_place)
    if not hidden and len(found) <= MAX_DIAGNOSTICS:
        return tuple(found)
    errors = [one for one in found if one.severity == "error"][:MAX_DIAGNOSTICS]
    warnings = [one for one in found if one.severity == "warning"][: MAX_DIAGNOSTICS - len(errors)]
    kept = sorted([*errors, *warnings], key=_place)
    severity: Severity = "error" if errors else "warning"
    return (*kept, _hiding(hidden + len(found) - len(kept), kept[-1], severity))


def _place(one: Diagnostic) -> tuple[int, int, str]:
    return one.line, one.column, one.code


def _hiding(count: int, last: Diagnostic, severity: Severity) -> Diagnostic:
    more = Problem.TOO_MANY_PROBLEMS
    message = more.template.format(count=count, limit=MAX_DIAGNOSTICS)
    place = (last.end_line, last.end_column, last.end_line, last.end_column)
    return Diagnostic(severity, more.code, more.slug, message, *place, hidden=count)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An unknown word and the known words that it may be a typo of. `meant`: what it means if none is similar.

    Words are compared only when a hint is wanted: problems beyond the limit are not worth it.
    """

    word: str
    known: Iterable[str]
    meant: str | None = None

    def hint(self) -> str | None:
        """Return a hint such as `did you mean 'build'?`, or None if no known word is similar."""
        nearest = self.nearest() or self.meant
        return f"did you mean '{displayed(nearest)}'?" if nearest is not None else None

    def nearest(self) -> str | None:
        """Return the most similar known word, or None."""
        length = len(self.word)
        if length > MAX_NAME_CHARACTERS:
            return None
        word, half = self.word.lower(), (length + 1) // 2
        candidates = [
            name
            for name, _ in zip(self.known, range(_MAX_CANDIDATES), strict=False)
            if name != self.word and abs(len(name) - length) <= 1 + length // 2
        ]
        candidates.sort(key=lambda name: name[:half].lower() != word[:half] and name[-half:].lower() != word[-half:])
        return nearest(word, candidates[: _MAX_COMPARISONS // (length * length + 1)])


def displayed(text: str) -> str:
    """Return the text shortened for a message, with unprintable characters escaped."""
    short = text if len(text) <= _MAX_SHOWN_CHARACTERS else text[: _MAX_SHOWN_CHARACTERS - 3] + "..."
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", short)


def render(diagnostic: Diagnostic, text: str, source_name: str) -> str:
    """Return the diagnostic for a terminal: position and message, the source line, a caret and the hint.

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
    """Return the part of a long line that is shown, and the start and end of the range in it."""
    if len(line) <= _MAX_LINE_CHARACTERS:
        return line, start, min(end, max(len(line), start + 1))
    left = max(0, start - _MAX_LINE_CHARACTERS // 2)
    return line[left : left + _MAX_LINE_CHARACTERS], start - left, min(end - left, _MAX_LINE_CHARACTERS)


def _blank(text: str) -> str:
    """Return spaces as wide as the text, with its tabs kept."""
    return "".join(
        "\t" if char == "\t" else " " * (2 if unicodedata.east_asian_width(char) in "WF" else 1) for char in text
    )
