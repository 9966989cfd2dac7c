"""`fsl event` and `fsl signal`: events for all runs, and for one run."""

from __future__ import annotations

import click

from fsl import api_calls
from fsl.cli.common import Json, counted, put, say, short_time
from fsl.cli.remote import remote
from fsl.cli.values import value_of
from fsl.client import Client, Resource

_DATA = click.option("--data", metavar="JSON", help="The data of the event; text that is not JSON is sent as text.")


@click.command(no_args_is_help=True)
@click.argument("name")
@click.option("--key", metavar="KEY", help="Only runs that wait for this key receive the event.")
@_DATA
@click.option("--ttl", metavar="DURATION", help="How long runs that start to wait later receive it; by default 24h.")
@click.option("--id", "event_id", metavar="ID", help="The same id is the same event: it is published once.")
@remote
def event(
    *, name: str, key: str | None, data: str | None, ttl: str | None, event_id: str | None, client: Client,
    as_json: bool,
) -> None:  # fmt: skip
    """Publish an event for all runs that wait for it.

    The command prints which runs the event has reached. Runs that start to wait for it later receive it until --ttl
    is over. `fsl list event` shows the events that are stored.

    \b
    fsl event payment.received --key o-1 --data '{"amount": 12.5}'
    fsl event order.cancelled --key o-1 --ttl 2d --id mail-4711
    """
    body: dict[str, Json] = {"name": name}
    body |= {field: value for field, value in (("key", key), ("ttl", ttl), ("id", event_id)) if value is not None}
    body |= {"data": value_of(data)} if data is not None else {}
    found: Resource = client.call(api_calls.POST_EVENT, json=body).json()
    if as_json:
        put(found)
        return
    woken = found["woken"]
    runs = f"{counted(woken['count'], 'run')}{': ' if woken['runs'] else ''}{', '.join(woken['runs'])}"
    until = short_time(found["spec"]["expires_at"])
    say(f"event {name} reached {runs}; it is stored until {until}")


@click.command(no_args_is_help=True)
@click.argument("run")
@click.argument("name", metavar="EVENT")
@_DATA
@remote
def signal(*, run: str, name: str, data: str | None, client: Client, as_json: bool) -> None:
    """Send an event to one run.

    It needs no key. A run that does not wait for it yet receives it when it does.

    \b
    fsl signal my_flow_run payment.received --data '{"amount": 12.5}'
    """
    body: dict[str, Json] = {"name": name} | ({"data": value_of(data)} if data is not None else {})
    found: Resource = client.call(api_calls.POST_FLOWRUN_NAME_SIGNAL, run, json=body).json()
    if as_json:
        put(found)
    else:
        say(f"event {name} was sent to {run}")
