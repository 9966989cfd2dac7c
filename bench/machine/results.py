"""What was measured, as tables: medians of the rounds, durations of all runs, and ratios to the best peer."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from bench.machine.load import STEPS, Window
from bench.machine.systems import Form, Role, Row, System
from bench.report import table

CLIENTS: Final = (1, 8, 32)
_NONE: Final = "-"
_FORMS: Final = {Form.DIRECT: "The service answers at once", Form.CALLBACK: "The service answers by callback"}


class Results:
    """The windows of each row by number of clients, one per round, and why a row has none."""

    def __init__(self, systems: Sequence[System]) -> None:
        self.systems = systems
        self.failures: dict[str, str] = {}
        self.processes: dict[str, int] = {}
        self._windows: dict[tuple[str, int], list[Window]] = defaultdict(list)

    def add(self, row: str, clients: int, window: Window) -> None:
        self._windows[row, clients].append(window)

    def rows(self, form: Form | None = None) -> list[Row]:
        """Return the rows of all systems, those of one form if it is given."""
        return [row for system in self.systems for row in system.rows if form in (None, row.form)]

    def rate(self, row: str, clients: int) -> float:
        """Return runs per second."""
        return _median(len(window.durations) / window.seconds for window in self._windows[row, clients])

    def duration(self, row: str, clients: int, part: float) -> float:
        """Return the duration in ms that `part` (0 to 1) of all runs do not exceed; 0 if there is none."""
        found = sorted(took for window in self._windows[row, clients] for took in window.durations)
        return 1000 * found[min(len(found) - 1, int(part * len(found)))] if found else 0.0

    def cpu(self, row: str, clients: int) -> float:
        """Return CPU time of the system per step in ms."""
        return self._per_step(row, clients, lambda window: window.cpu)

    def harness(self, row: str, clients: int) -> float:
        """Return CPU time of the service and of clients that are no part of the system, per step in ms."""
        return self._per_step(row, clients, lambda window: window.harness)

    def _per_step(self, row: str, clients: int, used: Callable[[Window], float]) -> float:
        found = [window for window in self._windows[row, clients] if window.durations]
        return _median(1000 * used(window) / len(window.durations) / STEPS for window in found)

    def best_peer(self, form: Form, clients: int) -> float:
        """Return the rate of the fastest peer in that form; 0 if none was measured."""
        peers = [row for system in self.systems if system.role is Role.PEER for row in system.rows if row.form is form]
        return max((self.rate(row.name, clients) for row in peers), default=0.0)


def report(results: Results, flush: float) -> str:
    """Return the section. `flush` is the time in ms that the disk takes to flush a small write."""
    columns = [f"{clients} client{'s' if clients > 1 else ''}" for clients in CLIENTS]
    ratios = [f"x best peer, {clients}" for clients in CLIENTS]
    texts = ["Runs per second, and how many times the best peer's in the same form with as many clients.\n"]
    for form, words in _FORMS.items():
        rows = results.rows(form)
        texts += [f"{words}:\n", table(["system", *columns, *ratios], _lines(results, rows, _rates))]
    rows = results.rows()
    texts += [
        "Duration of a run in ms, p50 / p99:\n",
        table(["system", *columns], _lines(results, rows, _durations)),
        "CPU time per step in ms, of the system without the service and the clients:\n",
        table(["system", *columns], _lines(results, rows, _cpu)),
        "CPU time per step in ms, of the service and the clients (those of libraries are part of the system):\n",
        table(["system", *columns], _lines(results, rows, _harness)),
        f"What an acknowledged step survives (this disk flushes 4 KiB in {flush:.2g} ms):\n",
        table(["system", "processes", "kill -9", "power failure", "because"], _survival(results)),
    ]
    texts += [f"Not measured: {row}: {reason}.\n" for row, reason in results.failures.items()]
    return "\n".join(texts)


def _lines(
    results: Results, rows: Iterable[Row], cells: Callable[[Results, Row], list[object]]
) -> Iterable[Sequence[object]]:
    for row in rows:
        found = cells(results, row)
        yield [row.name, *([_NONE] * len(found) if row.name in results.failures else found)]


def _rates(results: Results, row: Row) -> list[object]:
    rates = [results.rate(row.name, clients) for clients in CLIENTS]
    best = [results.best_peer(row.form, clients) for clients in CLIENTS]
    return [*rates, *(rate / peer if peer else _NONE for rate, peer in zip(rates, best, strict=True))]


def _durations(results: Results, row: Row) -> list[object]:
    found = [[results.duration(row.name, clients, part) for part in (0.5, 0.99)] for clients in CLIENTS]
    return [f"{half:.3g} / {most:.3g}" if most else _NONE for half, most in found]


def _cpu(results: Results, row: Row) -> list[object]:
    return [results.cpu(row.name, clients) or _NONE for clients in CLIENTS]


def _harness(results: Results, row: Row) -> list[object]:
    return [results.harness(row.name, clients) for clients in CLIENTS]


def _survival(results: Results) -> Iterable[Sequence[object]]:
    for system in results.systems:
        name = system.rows[0].name
        if any(row.name not in results.failures for row in system.rows):
            found = system.durability()
            yield [name.partition(":")[0], results.processes.get(name) or _NONE, found.kill, found.power, found.how]


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return median(found) if found else 0.0
