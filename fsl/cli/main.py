"""`fsl`: the command of the terminal.

Commands on files need no server; commands on definitions and runs talk to one; `fsl local` is one. Exit codes: 0 the
command succeeded; 1 it failed; 2 it was called with wrong arguments; 3 no server answers; 4 the time to wait is over;
130 it was interrupted.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from chalicelib.model.errors import EchoerError
from chalicelib.model.visible_text import visible
from fsl.cli.lazy import LazyCommand, LazyGroup

_DOCUMENTS: Final = "fsl.cli.documents"
_PEOPLE: Final = "fsl.cli.people"
_RUNS: Final = "fsl.cli.runs"
_SERVER: Final = "fsl.cli.server"

EXIT_INTERRUPTED: Final = 130
"""The exit code after Ctrl-C: 128 and the number of SIGINT, as in shells."""

SECTIONS: Final = {
    "Write programs": (
        LazyCommand("check", f"{_DOCUMENTS}.check:check", "Check FSL files for errors."),
        LazyCommand("test", "fsl.cli.testing:test", "Run the tests of FSL programs on a virtual clock."),
        LazyCommand("play", "fsl.cli.play.command:play", "Play a flow step by step on a virtual clock."),
        LazyCommand("fmt", f"{_DOCUMENTS}.fmt:fmt", "Format FSL files in place."),
        LazyCommand("upgrade", f"{_DOCUMENTS}.upgrade:upgrade", "Rewrite FSL files of an earlier version."),
        LazyCommand("explain", f"{_DOCUMENTS}.explain:explain_", "Show the timeout, heartbeat and retry of each step."),
        LazyCommand("graph", f"{_DOCUMENTS}.graph:graph", "Draw the state diagram of a flow or run."),
        LazyCommand(
            "export", f"{_DOCUMENTS}.exchange:export", "Print definitions as JSON, or a flow for AWS Step Functions."
        ),
        LazyCommand("import", f"{_DOCUMENTS}.importing:import_", "Print Step Functions machines, or JSON, as FSL."),
        LazyCommand("compare", f"{_DOCUMENTS}.compare:compare", "Compare executions of AWS Step Functions with runs."),
        LazyCommand("schema", f"{_DOCUMENTS}.exchange:schema", "Print the JSON Schema of exported definitions."),
        LazyCommand("lsp", f"{_DOCUMENTS}.lsp:lsp", "Run the language server for editors."),
    ),
    "Start and inspect runs": (
        LazyCommand("apply", f"{_RUNS}.apply:apply", "Apply FSL files: update definitions and start runs."),
        LazyCommand("run", f"{_RUNS}.start:run", "Start a run of a flow."),
        LazyCommand("watch", f"{_RUNS}.follow:watch", "Follow a run, the runs of a flow, or all runs."),
        LazyCommand("history", f"{_RUNS}.follow:history", "Show all transitions of a run."),
        LazyCommand("list", f"{_RUNS}.listing:list_", "List runs, definitions, waiting steps or events."),
        LazyCommand("sent", f"{_RUNS}.details:sent", "Show what an activation was sent, and what came back."),
        LazyCommand("items", f"{_RUNS}.details:items", "List the items of an each of a run."),
        LazyCommand("cost", f"{_RUNS}.cost:cost", "Show what a run or a flow costs on AWS."),
        LazyCommand("diff", f"{_RUNS}.versions:diff", "Show what changed between two versions of a flow."),
        LazyCommand("get", f"{_RUNS}.resources:get", "Show one definition, run, step or event."),
    ),
    "Control runs": (
        LazyCommand("pause", f"{_RUNS}.commands:pause", "Pause a run, many runs, an action or a flow."),
        LazyCommand("continue", f"{_RUNS}.commands:continue_", "Continue a run, many runs, an action or a flow."),
        LazyCommand("stop", f"{_RUNS}.commands:stop", "Stop a run, or many runs."),
        LazyCommand("retry", f"{_RUNS}.repair:retry", "Retry a run that failed or was stopped, or many of them."),
        LazyCommand("migrate", f"{_RUNS}.repair:migrate", "Move runs to another version of their flow."),
        LazyCommand("goto", f"{_RUNS}.repair:goto", "Have a run enter another step."),
        LazyCommand("vars", f"{_RUNS}.changes:vars_", "Show, set and remove the variables of a run."),
        LazyCommand("label", f"{_RUNS}.changes:label", "Show, set and remove the labels of a run."),
        LazyCommand("delete", "fsl.cli.many.delete:delete", "Delete a run that has ended, or many of them."),
        LazyCommand("batch", "fsl.cli.many.batch:batch", "List, follow, stop and continue commands over many runs."),
        LazyCommand("archive", "fsl.cli.many.archive:archive", "Save ended runs to a file, and delete them."),
        LazyCommand("del", f"{_RUNS}.resources:delete", "Delete a definition, or a run that has ended."),
    ),
    "Do what people do": (
        LazyCommand("task", f"{_PEOPLE}.tasks:task", "List the tasks that wait for a person, or show one."),
        LazyCommand("answer", f"{_PEOPLE}.answer:answer", "Answer a step that waits, as its action or a person."),
        LazyCommand("approve", f"{_PEOPLE}.answer:approve", "Approve or reject the dispatch of an action."),
        LazyCommand("event", f"{_PEOPLE}.events:event", "Publish an event for all runs that wait for it."),
        LazyCommand("signal", f"{_PEOPLE}.events:signal", "Send an event to one run."),
    ),
    "Schedule runs": (LazyCommand("schedule", f"{_RUNS}.schedules:schedule", "List, inspect and command schedules."),),
    "Operate a server": (
        LazyCommand("local", f"{_SERVER}.local:local", "Run a server on this machine."),
        LazyCommand("shell", f"{_SERVER}.shell:shell", "Send statements to a server interactively."),
        LazyCommand("doctor", f"{_SERVER}.doctor:doctor", "Find runs that make no progress, and repair them."),
        LazyCommand("hook", f"{_SERVER}.hooks:hook", "Inspect hooks and their deliveries."),
        LazyCommand("token", f"{_SERVER}.tokens:token", "Create, list and revoke access tokens."),
        LazyCommand("secret", f"{_SERVER}.secret:secret", "Set, list and delete the secrets of a namespace."),
        LazyCommand(
            "webhook-secret", f"{_SERVER}.webhook_secret:webhook_secret", "Print the webhook secret of a namespace."
        ),
    ),
    "About fsl": (
        LazyCommand("version", "fsl.cli.about:version", "Print the version of fsl, of the language, and of Python."),
        LazyCommand("completion", "fsl.cli.about:completion", "Print a script for shell completion."),
    ),
}


class _Terminal(LazyGroup):
    """Converts errors of the client to exit codes, once for all commands."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(EXIT_INTERRUPTED)
        except click.ClickException as exc:
            vars(exc).update(message=visible(exc.message, lines=True))
            raise
        except EchoerError as exc:
            from fsl.cli.remote import exit_code_of

            code = exit_code_of(exc)
            if code is None:
                raise
            ctx.exit(code)


@click.group(
    cls=_Terminal,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Commands that need a server use the one at ECHOER_URL, or http://127.0.0.1:8080. "
    "`fsl COMMAND --help` describes a command. Exit codes: 0 success; 1 failure, or a run that failed; 2 wrong "
    "arguments; 3 no server answers; 4 the time to wait is over; 130 interrupted.",
)
def main() -> None:
    """Define business processes in FSL, test them, and run them.

    \b
    fsl local --demo                 Run a server on this machine with an example.
    fsl check release.fsl            Check a program.
    fsl test                         Run the tests of your programs.
    fsl apply release.fsl            Apply a program to the server.
    fsl run order --input amount=12  Start a run of a flow.
    fsl list                         List the newest runs.
    fsl watch my_flow_run            Show the transitions of a run.
    """


if __name__ == "__main__":
    sys.exit(main())
