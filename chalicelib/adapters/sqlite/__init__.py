"""The store and the queues in one SQLite file: the durable default on one machine."""
