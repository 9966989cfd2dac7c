"""`python -m deploy.remove STAGE`: delete the stack of a stage.

The table with all runs remains, and so do the keys, the first admin's token, and the bucket with zips and templates.
"""

from __future__ import annotations

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.model.errors import EchoerError
from deploy import stacks, stages
from deploy.account import Account, connect
from deploy.stages import Stage


def remove(account: Account, stage: Stage) -> None:
    """Delete the stage's stack, and say what remains. Raises NotDeployed."""
    stacks.remove(account, stage.prefix)
    keys = ", ".join([*stage.keys.values(), f"ssm:{stage.admin_token}"])
    account.say(f"deleted. These remain: the table {stage.table}, the keys {keys}, the bucket {account.bucket}")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m deploy.remove", description="Delete the stack of a stage.")
    parser.add_argument("stage", help="a stage of .chalice/config.json")
    asked = parser.parse_args()
    try:
        stage = stages.stage(asked.stage, stages.configuration())
        remove(connect(print), stage)
    except (EchoerError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
