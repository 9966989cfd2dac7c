"""Bugs put in on purpose. Each is one small wrong thing in the service or the engine; the laws must find it."""

from tests.simulation.planted.bugs import BUGS, Bug, hunt

__all__ = ["BUGS", "Bug", "hunt"]
