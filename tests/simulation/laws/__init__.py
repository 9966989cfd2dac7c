"""The invariants of docs/architecture.md, 4.

observer   checks them at every write and every message that is dropped
waking     the first of them: every token will be woken
history    the history replayed, and compared to the head
returns    errors and returns
moves      deliveries follow the newest versions of their actions
requests   the fifth: the deliveries of one activation are the same request
tokens     the sixth: tokens fit one another
limits     ... and limits and breakers hold
holds      ... and paused actions and flows hold, and a batch commands a run once
money      the eighth: work is undone when it must be
slots      the ninth: each slot of a schedule starts its run
outgoing   emit and start do what they do once
notices    on_enter and on_leave are sent
scopes     variables are those of their scope
"""

from tests.simulation.laws.observer import Broken, Laws

__all__ = ["Broken", "Laws"]
