"""Write a flow as a machine of AWS Step Functions: a Standard workflow with the query language JSONata.

Each step becomes a state of its name. What Step Functions needs more states for (conditions behind a task, initial
values of variables) is added beside it. A route's entries and `save` are `Assign`; `$result` is handed on as the output
of a state; `$error` is a variable that the catchers set.

machine    a flow, its scopes and their variables
states     each step as a state; tasks, http_tasks, parallel: what it calls or contains
ways       where a route leads, with ends; choices: routes with conditions; catches, retries: errors
graph      what is set, and what is read later, at each step
leaving    what a state saves, and the Choice behind it where its routes have conditions
values     templates; their expressions: rewrite, tokens, shapes; names: what `$input` and the others are; durations
places     the step and the line of a problem
refusals   what Step Functions has not
"""

from chalicelib.asl.export.machine import Exported, export
from chalicelib.asl.export.places import Placed, placed

__all__ = ["Exported", "Placed", "export", "placed"]
