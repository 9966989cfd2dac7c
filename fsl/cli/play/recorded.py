"""`fsl play --run`: replay a run of the server, and look ahead."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chalicelib.model.json_values import Json
from fsl import api_calls
from fsl.cli.common import put, say, short_time, table
from fsl.cli.play.case_file import write_case
from fsl.client import Client
from fsl.transition_text import transition

MAX_AHEAD: Final = 100
"""How many times the clock goes on to the next thing that happens by itself."""

_ENDED: Final = ("succeeded", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: a run, against the text if there is one, up to a history entry."""

    run: str
    text: str
    flow: str
    upto: int | None

    def body(self, moves: list[Json]) -> dict[str, Json]:
        """Return the body of `POST /play`."""
        found: dict[str, Json] = {"run": self.run, "moves": moves}
        found |= {"text": self.text} if self.text else {}
        found |= {"flow": self.flow} if self.flow else {}
        return found if self.upto is None else {**found, "upto": self.upto}


def replay(client: Client, wanted: Replay, *, ahead: bool, case: Path | None, as_json: bool) -> None:
    """Print where the replay differs and what it waits for; with `ahead`, what happens if nothing is done."""
    moves: list[Json] = []
    plays = [_play(client, wanted, moves)]
    if ahead:
        plays += _look_ahead(client, wanted, moves, plays[0])
    if as_json:
        put(plays[-1])
    else:
        _show(plays, ahead=ahead)
    if case is not None:
        text = client.call(api_calls.POST_PLAY, json=wanted.body(moves), query={"format": "test"}).text
        write_case(case, text)


def _play(client: Client, wanted: Replay, moves: list[Json]) -> dict[str, Any]:
    found: dict[str, Any] = client.call(api_calls.POST_PLAY, json=wanted.body(moves)).json()
    return found


def _look_ahead(client: Client, wanted: Replay, moves: list[Json], first: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Let time pass until the run has ended, or nothing happens by itself any more; `moves` has the moves then."""
    found = first
    while found["next"] is not None and found["status"] not in _ENDED and len(moves) < MAX_AHEAD:
        moves.append({"clock": {"next": True}})
        found = _play(client, wanted, moves)
        yield found


def _show(plays: list[dict[str, Any]], *, ahead: bool) -> None:
    first, last = plays[0], plays[-1]
    differs = first["differs"]
    if differs is None:
        say(f"entries 1 to {first['seq']} are decided as they were recorded", "green")
    else:
        say(f"entry {differs['seq']} is decided otherwise", "yellow")
        say(f"  recorded  {_entry(differs['recorded'])}")
        say(f"  now       {_entry(differs['now'])}")
    if ahead:
        _show_ahead(plays)
    reason = f": {last['last_err']}" if last["last_err"] else ""
    say(f"{short_time(last['now'])}  {last['status']}{reason}")
    waits = [one for one in last["waits"] if one["name"] or one["states"]]
    if waits:
        rows = [(one["step"], f"{one['kind']} {one['name']}", short_time(one["deadline"])) for one in waits]
        table(("step", "waits for", "until"), rows)


def _show_ahead(plays: list[dict[str, Any]]) -> None:
    """Print what happens if nothing is done: when, what, and what the run then does."""
    for before, after in itertools.pairwise(plays):
        say(f"{short_time(after['now'])}  {before['next']['what'] if before['next'] else ''}")
        for entry in after["history"]:
            if entry["seq"] > before["seq"]:
                say(f"  {transition(entry)}")


def _entry(entry: dict[str, Any] | None) -> str:
    return transition(entry) if entry is not None else "nothing"
