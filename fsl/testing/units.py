"""Durations for people, in the units of FSL: `2d 3h`, `1m 30s`, `0s`."""

from __future__ import annotations

from chalicelib.model.times import format_elapsed as elapsed

__all__ = ["elapsed"]
