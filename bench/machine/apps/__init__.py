"""The programs that run in a process of their own, some under the Python of the peers."""
