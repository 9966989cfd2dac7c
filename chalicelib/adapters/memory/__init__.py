"""The ports in memory, for tests and the simulator. Other adapters must pass the same contract tests.

Values are stored encoded and decoded when they are read, so callers never share an object. One lock guards a store.
"""

from chalicelib.adapters.memory.message_queue import MemoryQueue
from chalicelib.adapters.memory.store import MemoryStore

__all__ = ["MemoryQueue", "MemoryStore"]
