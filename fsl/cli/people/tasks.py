"""`fsl task`: the inbox, and one task of it."""

from __future__ import annotations

import json

import click

from fsl import api_calls
from fsl.cli.common import Json, put, say, short_time, table, write
from fsl.cli.filters import labels_of, query_of
from fsl.cli.remote import remote
from fsl.client import Client, QueryValue, Resource, step_of

MAX_ARGS_CHARACTERS = 60
"""Characters of the args of a task in the list; `fsl task RUN.STEP` shows all of them."""


@click.command()
@click.argument("name", metavar="[RUN|RUN.STEP]", required=False)
@click.option("--flow", metavar="NAME", help="Only tasks of runs of this flow.")
@click.option("--action", metavar="NAME", help="Only tasks of this action.")
@click.option(
    "--label", metavar="KEY=VALUE", multiple=True, callback=labels_of, help="Only tasks of runs with this label."
)
@click.option("--urgent", is_flag=True, help="List the tasks that expire soonest first.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="The most tasks to list.")
@remote
def task(
    *, name: str | None, limit: int, urgent: bool, client: Client, as_json: bool, **filters: QueryValue
) -> None:  # fmt: skip
    """List the tasks that wait for a person, or show one.

    The tasks of all runs are listed, or those of one RUN, the longest-waiting first. Approvals are tasks, too. With
    RUN.STEP, the command shows one task with its args, and how to answer it.

    \b
    fsl task
    fsl task --flow order --label team=payments --urgent
    fsl task my_flow_run.Review
    fsl task --json | jq -r '.[] | [.flowId, .stepName, .deadline] | @tsv'
    """
    query = {**query_of(filters), "flowId": name, "order": "deadline" if urgent else None}
    found, more = client.up_to("task", limit, **query)
    if not found and name is not None:
        found = [task_of(client, name)]
        if as_json:
            put(found[0])
        else:
            _show(found[0])
        return
    if as_json:
        put(found)
        return
    repeated = len({_target(one) for one in found}) < len(found)
    columns = ("task", "action", "states", "since", "until", "args", *(["uuid"] if repeated else []))
    table(columns, [(*_row(one), *([str(one["uuid"])] if repeated else [])) for one in found])
    if more:
        say(f"there are more than {len(found)} tasks; use --limit", "dim", err=True)


def task_of(client: Client, target: str) -> Resource:
    """Return the task RUN.STEP. Raises click.ClickException if it is not in the inbox."""
    run, step = step_of(target)
    found: list[Resource] = client.call(api_calls.GET_TASK, query={"flowId": run, "stepName": step}).json()
    if not step or not found:
        raise click.ClickException(f"there is no task {target!r}; `fsl task` lists the tasks that wait")
    return found[0]


def _target(found: Resource) -> str:
    return f"{found['flowId']}.{found['stepName']}"


def _row(found: Resource) -> tuple[str, ...]:
    args = _text(found["args"])
    shown = args if len(args) <= MAX_ARGS_CHARACTERS else f"{args[: MAX_ARGS_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    action = f"{found['action']} (approval)" if found.get("kind") == "approval" else str(found["action"])
    states = " | ".join(found["ackStates"])
    return _target(found), action, states, short_time(found["since"]), short_time(found["deadline"]), shown


def _show(found: Resource) -> None:
    """Print a task, its args, and the command that answers it."""
    fields = {
        "task": _target(found),
        "kind": found.get("kind", "task"),
        "action": found["action"],
        "since": short_time(found["since"]),
        "until": short_time(found["deadline"]),
        "uuid": found["uuid"],
    }
    table(("field", "value"), [(name, str(value)) for name, value in fields.items() if value])
    write()
    table(("arg", "value"), [(name, _text(value)) for name, value in found["args"].items()])
    write()
    for state in found["ackStates"]:
        write(f"fsl answer {_target(found)} {state}")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
