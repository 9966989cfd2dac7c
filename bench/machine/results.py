"""What was measured, as tables: medians of the rounds, durations of all runs, and ratios to the best peer."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from bench.machine.library import STEPS
from bench.machine.load import Window
from bench.machine.systems import Role, System
from bench.report import table

CLIENTS: Final = (1, 8, 32)
_NONE: Final = "-"


class Results:
    """The windows of each row by number of clients, one per round, and why a system has none."""

    def __init__(self, systems: Sequence[System]) -> None:
        self.systems = systems
        self.failures: dict[str, str] = {}
        self._windows: dict[tuple[str, int], list[Window]] = defaultdict(list)

    def add(self, row: str, clients: int, window: Window) -> None:
        self._windows[row, clients].append(window)

    def rate(self, row: str, clients: int) -> float:
        """Return runs per second."""
        return _median(len(window.durations) / window.seconds for window in self._windows[row, clients])

    def duration(self, row: str, clients: int, part: float) -> float:
        """Return the duration in ms that `part` (0 to 1) of all runs do not exceed; 0 if there is none."""
        found = sorted(took for window in self._windows[row, clients] for took in window.durations)
        return 1000 * found[min(len(found) - 1, int(part * len(found)))] if found else 0.0

    def cpu(self, row: str, clients: int) -> float:
        """Return CPU time per step in ms."""
        found = [window for window in self._windows[row, clients] if window.durations]
        return _median(1000 * window.cpu / len(window.durations) / STEPS for window in found)

    def best_peer(self, clients: int) -> float:
        """Return the rate of the fastest peer; 0 if none was measured."""
        rows = [row for system in self.systems if system.role is Role.PEER for row in system.rows]
        return max((self.rate(row, clients) for row in rows), default=0.0)


def report(results: Results, flush: float) -> str:
    """Return the section. `flush` is the time in ms that the disk takes to flush a small write."""
    columns = [f"{clients} client{'s' if clients > 1 else ''}" for clients in CLIENTS]
    ratios = [f"x best peer, {clients}" for clients in CLIENTS]
    texts = [
        "Runs per second, and how many times the best peer's with as many clients:\n",
        table(["system", *columns, *ratios], _rows(results, _rates)),
        "Duration of a run in ms, p50 / p99:\n",
        table(["system", *columns], _rows(results, _durations)),
        "CPU time per step in ms, of the system without the service and the clients:\n",
        table(["system", *columns], _rows(results, _cpu)),
        f"What an acknowledged step survives (this disk flushes 4 KiB in {flush:.2g} ms):\n",
        table(["system", "kill -9", "power failure", "because"], _survival(results)),
    ]
    texts += [f"Not measured: {row}: {reason}.\n" for row, reason in results.failures.items()]
    return "\n".join(texts)


def _rows(results: Results, cells: Callable[[Results, str], list[object]]) -> Iterable[Sequence[object]]:
    for system in results.systems:
        for row in system.rows:
            found = cells(results, row)
            yield [row, *([_NONE] * len(found) if system.rows[0] in results.failures else found)]


def _rates(results: Results, row: str) -> list[object]:
    rates = [results.rate(row, clients) for clients in CLIENTS]
    best = [results.best_peer(clients) for clients in CLIENTS]
    return [*rates, *(rate / peer if peer else _NONE for rate, peer in zip(rates, best, strict=True))]


def _durations(results: Results, row: str) -> list[object]:
    found = [(results.duration(row, clients, 0.5), results.duration(row, clients, 0.99)) for clients in CLIENTS]
    return [f"{half:.3g} / {most:.3g}" if most else _NONE for half, most in found]


def _cpu(results: Results, row: str) -> list[object]:
    return [results.cpu(row, clients) or _NONE for clients in CLIENTS]


def _survival(results: Results) -> Iterable[Sequence[object]]:
    for system in results.systems:
        if system.rows[0] not in results.failures:
            found = system.durability()
            yield [system.rows[0].partition(":")[0], found.kill, found.power, found.how]


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return median(found) if found else 0.0
