"""The engine, the language and expressions: CPU time, beside the libraries that do one of them."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from bench.engine import language
from bench.engine.programs import JSONATA_JS, Command, jsonata_js, library, own, rates
from bench.engine.samples import EXPRESSIONS, STATES
from bench.report import table

TITLE = "Engine, language and expressions"

_ECHOER: Final = "Echoer"
_SHARE: Final = 0.3
"""The part of `seconds` that one figure takes: there are 52 of them."""


def measure(seconds: float) -> str:
    """Measure every figure for a part of `seconds` of CPU time; the language takes about half a minute."""
    return "\n".join([_decisions(seconds * _SHARE), _language(), _expressions(seconds * _SHARE)])


def _decisions(seconds: float) -> str:
    cases = [f"{form}-{states}" for states in STATES for form in ("walk", "stored")]
    commands: dict[str, Command] = {
        _ECHOER: own,
        "transitions": partial(library, "transitions"),
        "python-statemachine": partial(library, "statemachine"),
    }
    found, failures = rates(commands, cases, seconds)
    rows: list[tuple[object, ...]] = [(name, *(of[case] / 1_000 for case in cases)) for name, of in found.items()]
    rows.append(_ratios(found, cases))
    if "transitions" in found:
        kept_cases = [f"kept-{states}" for states in STATES]
        kept, _ = rates({"transitions": commands["transitions"]}, kept_cases, seconds)
        figures = [kept["transitions"][case] / 1_000 for case in kept_cases]
        rows.append(("transitions, one object kept", *(cell for figure in figures for cell in ("", figure))))
    columns = [f"{states} states, {what}" for states in STATES for what in ("in memory", "stored")]
    return (
        "### Decisions\n\nThousands of transitions per second of CPU time, the start of the run included. *Stored*: "
        "each transition reads the state from JSON and writes it.\n\n"
        + table(["thousands/s", *columns], rows)
        + _missing(failures)
    )


def _language() -> str:
    rows = [
        (f"{name}, {kind}", *figures)
        for kind, found in (
            ("plain steps", language.figures(with_expressions=False)),
            ("two expressions a step", language.figures(with_expressions=True)),
        )
        for name, figures in found.items()
    ]
    columns = [f"{steps:,} steps" for steps in language.STEPS]
    return "### Language\n\nMilliseconds of CPU time per step of a flow.\n\n" + table(["ms/step", *columns], rows)


def _expressions(seconds: float) -> str:
    commands: dict[str, Command] = {
        _ECHOER: own,
        "jsonata-python": partial(library, "jsonata"),
        f"npm jsonata {JSONATA_JS}": jsonata_js,
    }
    cases = [f"{what}-{name}" for what in ("evaluate", "parse") for name in EXPRESSIONS]
    found, failures = rates(commands, cases, seconds)
    sections = []
    for what in ("evaluate", "parse"):
        of_kind = [case for case in cases if case.startswith(what)]
        rows = [(name, *(of[case] / 1_000 for case in of_kind)) for name, of in found.items()]
        columns = [f"thousands/s, {what}", *EXPRESSIONS]
        sections.append(table(columns, [*rows, _ratios(found, of_kind)]))
    return (
        "### Expressions\n\nThousands per second of CPU time. Parsed once and evaluated often; and parsed anew.\n\n"
        + "\n".join(sections)
        + _missing(failures)
    )


def _ratios(found: Mapping[str, Mapping[str, float]], cases: Iterable[str]) -> tuple[object, ...]:
    """Return the row of how much quicker Echoer is than the quickest of the others that are written in Python."""
    others = [of for name, of in found.items() if name != _ECHOER and not name.startswith("npm")]
    ratios = [found[_ECHOER][case] / max(of[case] for of in others) if others else 0.0 for case in cases]
    return ("Echoer / the best in Python", *(f"{ratio:.2f}" for ratio in ratios))


def _missing(failures: Mapping[str, str]) -> str:
    return "".join(f"\n{name} was not measured: {reason}.\n" for name, reason in failures.items())
