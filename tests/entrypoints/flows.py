"""FSL documents for the tests of the entry points."""

from __future__ import annotations

from pathlib import Path

RELEASE = (Path(__file__).parents[2] / "fsl" / "examples" / "release.fsl").read_text()

WORK = 'action work addr = "http://work.test/"; args = (str order, int times); return = (OK | FAIL); action_end'

TWO = """flow two
    step A => (OK -> B | FAIL -> stopped) { action = work; args = (times = 2); };
    step B => (OK -> done | FAIL -> stopped) { action = work; args = (times = 3); };
flow_end"""

DIRECT = """flow_run direct
    step A => (OK -> done | FAIL -> A) { action = work; args = (order = "o", times = 1); };
flow_run_end"""
