"""Run the pure cases of the suite on moto, and store how many pass per group: data/moto.json.

    pip install "moto[stepfunctions]==5.2.5"
    python -m tests.conformance.asl.on_moto [SUITE.json]

moto executes machines in threads and in real time. A case that has not ended after `PATIENCE_S` seconds has not passed.
It is run by hand: what it found is part of the project.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import boto3
import moto
from moto import mock_aws

from tests.conformance.asl.cases import DATA, SUITE, Case, Kind, load
from tests.conformance.asl.compare import difference

PATIENCE_S: Final = 20.0
ROLE: Final = "arn:aws:iam::123456789012:role/machines"


def passes(client: Any, number: int, case: Case) -> bool:
    """Return whether moto ends an execution as AWS did."""
    made = client.create_state_machine(name=f"m{number}", definition=json.dumps(case.definition), roleArn=ROLE)
    arn = client.start_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps(case.input))["executionArn"]
    until = time.monotonic() + PATIENCE_S
    while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    if found["status"] != case.status:
        return False
    if case.status != "SUCCEEDED":
        return bool(found.get("error") == case.error)
    wildcards = {key.removeprefix("/output"): one for key, one in case.wildcards.items() if key.startswith("/output")}
    return not difference(json.loads(found["output"]), case.output, wildcards)


def main(arguments: Sequence[str]) -> int:
    """Run the program. Return its exit code."""
    cases = [case for case in load(Path(arguments[0]) if arguments else SUITE) if case.kind is Kind.PURE]
    passed = Counter[str]()
    for number, case in enumerate(cases):
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            client = boto3.client("stepfunctions", region_name="us-east-1")
            try:
                passed[case.group] += passes(client, number, case)
            except Exception as exc:  # moto raises every error of its interpreter
                sys.stdout.write(f"{case.id}: {type(exc).__name__}\n")
    text = json.dumps({"version": moto.__version__, "passed": dict(sorted(passed.items()))}, indent=2)
    (DATA / "moto.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{passed.total()} of {len(cases)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
