"""The invariants of docs/architecture.md, 4.

observer   checks them at every write and every message that is dropped
waking     the first of them: every token will be woken
history    the history replayed, and compared to the head
returns    errors and returns
tokens     ... and the sixth: tokens fit one another
money      the eighth: work is undone when it must be
"""

from tests.simulation.laws.observer import Broken, Laws

__all__ = ["Broken", "Laws"]
