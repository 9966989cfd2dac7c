"""Operations that start a job: `addr = "athena:startQueryExecution.sync"` is answered when the job has ended.

The table says, for each operation, which other one describes the job, and what states end it, as AWS Step Functions
does for its `.sync` integrations (Developer Guide, "Integrating services"). Paths are JMESPath. Those of `ask` read
`request` (the parameters of the operation) and `started` (its answer); all others read the answer of the description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import jmespath  # type: ignore[import-untyped]  # comes with botocore, without type hints

from chalicelib.model.json_values import Json
from chalicelib.model.times import Milliseconds

Ask: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How a job is looked at.

    describe: the operation that describes it, in the same service.
    ask: the parameters of that operation -> the paths of their values.
    state: the path of the state. succeeded, failed: the states in which the job has ended; others mean that it runs.
    reason: the path of the reason of a failure.
    result: the path of what is the answer, in the description as JSON, whose members begin with a capital letter.
    every: the time between two looks.
    parsed: members of the result that are JSON, and are read as such with `.sync:2`.
    refusal: the path, in the answer of the operation itself, of the reason why it has started nothing.
    """

    describe: str
    ask: Ask
    state: str
    succeeded: frozenset[str]
    failed: frozenset[str]
    reason: str = ""
    result: str = "@"
    every: Milliseconds = 10_000
    parsed: tuple[str, ...] = ()
    refusal: str = ""


def _states(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _sagemaker(what: str, name: str, status: str, failed: str = "Failed Stopped") -> Job:
    return Job(
        describe=f"Describe{what}",
        ask={name: f"request.{name}"},
        state=status,
        succeeded=_states("Completed"),
        failed=_states(failed),
        reason="FailureReason",
        every=30_000,
    )


JOBS: Final[Mapping[str, Job]] = {
    "athena:StartQueryExecution": Job(
        describe="GetQueryExecution",
        ask={"QueryExecutionId": "started.QueryExecutionId"},
        state="QueryExecution.Status.State",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED CANCELLED"),
        reason="QueryExecution.Status.StateChangeReason",
        every=5_000,
    ),
    "batch:SubmitJob": Job(
        describe="DescribeJobs",
        ask={"jobs": "[started.jobId]"},
        state="jobs[0].status",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED"),
        reason="jobs[0].statusReason",
        result="Jobs[0]",
        every=30_000,
    ),
    "codebuild:StartBuild": Job(
        describe="BatchGetBuilds",
        ask={"ids": "[started.build.id]"},
        state="builds[0].buildStatus",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED FAULT TIMED_OUT STOPPED"),
        result="{Build: Builds[0]}",
    ),
    "codebuild:StartBuildBatch": Job(
        describe="BatchGetBuildBatches",
        ask={"ids": "[started.buildBatch.id]"},
        state="buildBatches[0].buildBatchStatus",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED FAULT TIMED_OUT STOPPED"),
        result="{BuildBatch: BuildBatches[0]}",
    ),
    "databrew:StartJobRun": Job(
        describe="DescribeJobRun",
        ask={"Name": "request.Name", "RunId": "started.RunId"},
        state="State",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED STOPPED TIMEOUT"),
        reason="ErrorMessage",
        every=30_000,
    ),
    "ecs:RunTask": Job(
        describe="DescribeTasks",
        ask={"cluster": "request.cluster", "tasks": "started.tasks[].taskArn"},
        state=(
            "(tasks[?lastStatus != 'STOPPED'] && 'RUNNING') || "
            "(tasks[].containers[?exitCode != `0`][] && 'FAILED') || 'STOPPED'"
        ),
        succeeded=_states("STOPPED"),
        failed=_states("FAILED"),
        reason="tasks[0].stoppedReason",
        result="Tasks[0]",
        refusal="failures[0].reason",
    ),
    "emr-containers:StartJobRun": Job(
        describe="DescribeJobRun",
        ask={"id": "started.id", "virtualClusterId": "started.virtualClusterId"},
        state="jobRun.state",
        succeeded=_states("COMPLETED"),
        failed=_states("FAILED CANCELLED"),
        reason="jobRun.failureReason",
        every=30_000,
    ),
    "emr-serverless:StartJobRun": Job(
        describe="GetJobRun",
        ask={"applicationId": "started.applicationId", "jobRunId": "started.jobRunId"},
        state="jobRun.state",
        succeeded=_states("SUCCESS"),
        failed=_states("FAILED CANCELLED"),
        reason="jobRun.stateDetails",
        every=30_000,
    ),
    "glue:StartJobRun": Job(
        describe="GetJobRun",
        ask={"JobName": "request.JobName", "RunId": "started.JobRunId"},
        state="JobRun.JobRunState",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED STOPPED TIMEOUT ERROR EXPIRED"),
        reason="JobRun.ErrorMessage",
        result="JobRun",
        every=30_000,
    ),
    "mediaconvert:CreateJob": Job(
        describe="GetJob",
        ask={"Id": "started.Job.Id"},
        state="Job.Status",
        succeeded=_states("COMPLETE"),
        failed=_states("ERROR CANCELED"),
        reason="Job.ErrorMessage",
    ),
    "sagemaker:CreateHyperParameterTuningJob": _sagemaker(
        "HyperParameterTuningJob", "HyperParameterTuningJobName", "HyperParameterTuningJobStatus"
    ),
    "sagemaker:CreateLabelingJob": _sagemaker("LabelingJob", "LabelingJobName", "LabelingJobStatus"),
    "sagemaker:CreateProcessingJob": _sagemaker("ProcessingJob", "ProcessingJobName", "ProcessingJobStatus"),
    "sagemaker:CreateTrainingJob": _sagemaker("TrainingJob", "TrainingJobName", "TrainingJobStatus"),
    "sagemaker:CreateTransformJob": _sagemaker("TransformJob", "TransformJobName", "TransformJobStatus"),
    "stepfunctions:StartExecution": Job(
        describe="DescribeExecution",
        ask={"executionArn": "started.executionArn"},
        state="status",
        succeeded=_states("SUCCEEDED"),
        failed=_states("FAILED TIMED_OUT ABORTED"),
        reason="cause",
        every=5_000,
        parsed=("Input", "Output"),
    ),
}
"""Operation that starts a job -> how it is looked at."""


def question(job: Job, request: Mapping[str, Any], started: Mapping[str, Any]) -> dict[str, Json]:
    """Return the parameters of the operation that describes the job. Values that are missing are left out."""
    known = {"request": request, "started": started}
    found = {name: jmespath.search(path, known) for name, path in job.ask.items()}
    return {name: value for name, value in found.items() if value is not None}


def search(path: str, response: Mapping[str, Any]) -> Any:
    """Return what is at the path; None if that is nothing, or the path is empty."""
    return jmespath.search(path, response) if path else None
