"""The ports in their plainest form: what tests and the simulator run on, and what the other adapters are held to.

Everything is kept encoded and decoded again on the way out, so no two callers ever share an object. One lock holds all
that a store keeps.
"""

from chalicelib.adapters.memory.message_queue import MemoryQueue
from chalicelib.adapters.memory.store import MemoryStore

__all__ = ["MemoryQueue", "MemoryStore"]
