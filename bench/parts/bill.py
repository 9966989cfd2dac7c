"""Lambda's bill: CPU and memory of the functions over the floor of the requests that they make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench import report
from bench.bill.records import Case, read
from chalicelib.service.details.cost import ANSWERED_CPU_MS, CPU_MS, SEND_CPU_MS

TITLE: Final = "Lambda's bill"

ROOT: Final = Path(__file__).parents[2]
OUT: Final = ROOT / "out" / "bench" / "bill"

COLD_STARTS: Final = 5
"""Processes per figure of a cold start; the best counts."""

LATER: Final = 1_000
"""Requests after which memory is measured once more."""

PRICE: Final = 0.0000166667
"""USD per GB-second on x86 in us-east-1 (AWS Lambda pricing, 2026-11)."""

MB_PER_CPU: Final = 1_769
"""With so much memory a function has one CPU, with less its share of it (AWS Lambda Developer Guide, "Memory")."""

AWS_MS: Final = 5
ACTION_MS: Final = 50
"""What an invocation waits for besides its CPU, assumed: for each request to AWS, and for the response of an action."""

_MODEL: Final = {"app": "api", "deliver": "deliveries", "wake": "wakes"}
"""The names that functions have in the cost model, where they differ."""

Figures: TypeAlias = dict[str, Any]


def measure(seconds: float) -> str:
    """Record the functions, measure them, and return the section."""
    with service() as port:
        cases = _recorded(port)
        usual = [path for path, case in cases.items() if not case.is_large]
        warm = _json("bench.bill.warm", str(seconds), *map(str, usual))
        shares = _json("bench.bill.breakdown", *map(str, usual))
        parts = [
            _warm_table(warm),
            _share_table(shares, "shares", "share of our CPU"),
            _share_table(shares, "floor_shares", "share of the floor's CPU"),
            _cold_table({cases[path].name: _cold(path) for path in usual}),
            _memory_table([(case, _started("own", path, 2)) for path, case in cases.items() if case.is_large]),
            _price_table([cases[path] for path in usual], warm, float(_run("bench.bill.sending", str(seconds)))),
        ]
    return "\n".join(parts)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def service() -> Iterator[int]:
    """Run the action service; provide its port."""
    command = [sys.executable, "-m", "bench.bill.service"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603
        assert running.stdin is not None  # noqa: S101 - for the type checker
        assert running.stdout is not None  # noqa: S101 - for the type checker
        try:
            yield int(running.stdout.readline())
        finally:
            running.stdin.close()


def _recorded(port: int) -> dict[Path, Case]:
    """Record all cases; return each by its file."""
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.bin"):
        old.unlink()
    _run("bench.bill.recorder", str(port), str(OUT))
    return {path: read(path) for path in sorted(OUT.glob("*.bin"), key=lambda path: int(path.stem))}


def _run(program: str, *arguments: str) -> str:
    """Run a program of the benchmark, with bytecode that is kept, as Lambda has it. Return what it prints."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(OUT / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", program, *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(f"{program} failed:\n{ran.stderr}")
    return ran.stdout


def _json(program: str, *arguments: str) -> Figures:
    found: Figures = json.loads(_run(program, *arguments))
    return found


def _started(way: str, path: Path, requests: int = 0) -> Figures:
    return _json("bench.bill.cold", way, str(path), str(requests))


def _cold(path: Path) -> dict[str, Figures]:
    """Return the best cold start in each way. The ways take turns; a first start of each stores the bytecode."""
    ways = ("own", "floor", "libraries")
    later = {way: _started(way, path, LATER)["later_mb"] for way in ways}
    rounds = [{way: _started(way, path) for way in ways} for _ in range(COLD_STARTS)]
    best = {way: min([one[way] for one in rounds], key=_cpu) for way in ways}
    return {way: {**best[way], "later_mb": later[way]} for way in ways}


def _cpu(figures: Figures) -> float:
    return float(figures["cpu_ms"])


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _warm_table(found: Figures) -> str:
    rows = [
        (name, one["own"], one["floor"], one["own"] / one["floor"], one.get("floor to AWS", one["floor"]))
        for name, one in found.items()
    ]
    columns = ("warm function, CPU per invocation", "ours, µs", "floor, µs", "ratio", "of the floor to AWS, µs")
    return report.table(columns, rows)


def _share_table(found: Figures, kind: str, title: str) -> str:
    rows = [(name, *(f"{share:.0%}" for share in one[kind].values())) for name, one in found.items()]
    return report.table((title, *next(iter(found.values()))[kind]), rows)


def _cold_table(found: dict[str, dict[str, Figures]]) -> str:
    rows = []
    for name, ways in found.items():
        own, floor, libraries = (_cpu(ways[way]) for way in ("own", "floor", "libraries"))
        memory = [ways[way]["later_mb"] for way in ("own", "floor")]
        rows.append((name, own, floor, own / floor, libraries, own / libraries, ways["own"]["first_ms"], *memory))
    columns = (
        "cold start and first request, CPU",
        "ours, ms",
        "floor, ms",
        "ratio",
        "with our libraries, ms",
        "ratio",
        "of ours in the first request, ms",
        f"ours after {LATER:,} requests, MB",
        "floor, MB",
    )
    return report.table(columns, rows)


def _memory_table(found: Sequence[tuple[Case, Figures]]) -> str:
    rows = [(case.name, case.function, one["peak_mb"], one["first_ms"]) for case, one in found]
    return report.table(("memory of the largest requests", "function", "peak, MB", "CPU of the first, ms"), rows)


def memory_setting(function: str) -> int:
    """Return the memory of a function in `.chalice/config.json`, in MB."""
    configured = json.loads((ROOT / ".chalice" / "config.json").read_text())
    name = {"app": "api_handler"}.get(function.partition(".")[2], function.partition(".")[2])
    found = configured["lambda_functions"].get(name, {}).get("lambda_memory_size", configured["lambda_memory_size"])
    return int(found)


def _price_table(cases: Sequence[Case], warm: Figures, sending: float) -> str:
    """Return what invocations cost. `sending`: the CPU of sending a request to AWS, in microseconds."""
    rows = []
    for case in cases:
        memory, cpu_us, requests = memory_setting(case.function), warm[case.name]["own"], len(case.warm)
        busy_ms = (cpu_us + requests * sending) / 1e3 * MB_PER_CPU / memory
        waiting_ms = AWS_MS * requests + ACTION_MS * len(case.to_action)
        usd = (1e6 * PRICE * memory / 1024 * ms / 1e3 for ms in (busy_ms, waiting_ms))
        rows.append((case.name, memory, requests, cpu_us / 1e3, _modelled(case), f"{busy_ms:.1f}", *usd))
    columns = (
        "a million invocations",
        "memory, MB",
        "requests to AWS",
        "CPU, ms",
        "as `fsl cost` has it, ms",
        "at that share of a CPU, with sending, ms",
        "USD for CPU",
        "USD for waiting, assumed",
    )
    return report.table(columns, rows) + (
        f"\nSending a request over TLS and receiving its response takes {sending / 1e3:.2f} ms of CPU more, "
        f"as `fsl cost` has it {SEND_CPU_MS} ms; the floor would need it, too.\n"
    )


def _modelled(case: Case) -> float:
    """Return the CPU that the cost model has for such an invocation, in milliseconds."""
    function = case.function.partition(".")[2]
    if case.event.get("resource") == "/step":
        return CPU_MS["callback"]
    writes = sum(call.operation == "PutItem" for call in case.warm) if function == "deliver" else 0
    return round(CPU_MS[_MODEL.get(function, function)] + ANSWERED_CPU_MS * writes, 3)
