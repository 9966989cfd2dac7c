"""The types of JSON responses. The OpenAPI document is made from them, and views are type-checked against them.

Fields are never left out: an absent value is null, empty or 0, unless the field is declared optional. Newer servers
may add fields; clients must ignore fields that they do not know.
"""

from chalicelib.entrypoints.http.responses.access import AccessToken, NewAccessToken, Secret
from chalicelib.entrypoints.http.responses.common import (
    Count,
    Detail,
    Diagnostic,
    Error,
    Metadata,
    Moment,
    Number,
    Problem,
)
from chalicelib.entrypoints.http.responses.definitions import (
    Action,
    ActionSpec,
    Flow,
    FlowSpec,
    FlowStep,
    Input,
    Statement,
    Submission,
)
from chalicelib.entrypoints.http.responses.graphs import Edge, Graph, Node, Scope
from chalicelib.entrypoints.http.responses.runs import (
    ActionRun,
    Entry,
    Event,
    EventSpec,
    FailedUndo,
    Outcome,
    Run,
    RunError,
    RunSpec,
    ScopeVars,
    Step,
    StepSpec,
    Task,
    Token,
)
from chalicelib.entrypoints.http.responses.server import Finding, Health, Reply, Report

__all__ = [
    "AccessToken",
    "Action",
    "ActionRun",
    "ActionSpec",
    "Count",
    "Detail",
    "Diagnostic",
    "Edge",
    "Entry",
    "Error",
    "Event",
    "EventSpec",
    "FailedUndo",
    "Finding",
    "Flow",
    "FlowSpec",
    "FlowStep",
    "Graph",
    "Health",
    "Input",
    "Metadata",
    "Moment",
    "NewAccessToken",
    "Node",
    "Number",
    "Outcome",
    "Problem",
    "Reply",
    "Report",
    "Run",
    "RunError",
    "RunSpec",
    "Scope",
    "ScopeVars",
    "Secret",
    "Statement",
    "Step",
    "StepSpec",
    "Submission",
    "Task",
    "Token",
]
