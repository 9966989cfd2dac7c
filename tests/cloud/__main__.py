"""`python -m tests.cloud`: deploy to the emulator, test, update under running runs, remove. `make cloud` runs it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import requests
from botocore.exceptions import BotoCoreError, ClientError

from deploy.stages import ROOT
from scripts.other_aws import ServerError
from tests.acceptance.actions import Actions
from tests.acceptance.api import Api, poll
from tests.cloud.checkout import STACK, STAGE, Checkout, CommandFailed
from tests.cloud.domain import Domain
from tests.cloud.emulator import Emulator
from tests.cloud.update import Slow, Traffic

TIME_LIMIT_S: Final = 1_200
"""After so many seconds everything is stopped, and the command fails."""

PARTS: Final = ("deploy", "roles", "function_url_alone", "acceptance", "update", "switch", "unchanged", "remove")

_STARTS: Final = 3
"""How often the emulator is started if another process takes its port first."""

_BACK_AFTER_S: Final = 15
"""Longer than any delivery of the runs in the update takes."""

_VERSION: Final = '__version__: Final = "'


class Stopped(Exception):
    """The time limit has passed."""


_FAILURES: Final = (
    AssertionError,
    BotoCoreError,
    ClientError,
    CommandFailed,
    ServerError,
    Stopped,
    requests.RequestException,
    subprocess.TimeoutExpired,
)


class Cloud:
    """The parts, in their order. Each returns a line of figures.

    `domain` leads to API Gateway, and `answers` to the Function URL.
    """

    def __init__(self, emulator: Emulator, domain: Domain, answers: Domain, folder: Path, tests: list[str]) -> None:
        self.emulator, self.domain, self.answers, self.tests = emulator, domain, answers, tests
        self.checkout = Checkout(folder, emulator.client_environment())
        self.settings = {
            # Functions run in several processes that each keep definitions, and the tests do not wait for that long.
            "ECHOER_DEFINITION_MAX_AGE": "1ms",
            "ECHOER_LOG": "info",
            "ECHOER_OUTBOUND_ALLOW": "127.0.0.1",
            "ECHOER_RETRY_DELAY": "100ms",
            "ECHOER_PUBLIC_URL": domain.url,
            "ECHOER_CALLBACK_URL": answers.url,
        }

    def deploy(self) -> str:
        """Deploy as a user does."""
        self.checkout.configure(**self.settings)
        self.checkout.make("deploy")
        self._after_deployment()
        (api,) = self.emulator.resources(STACK, "AWS::ApiGateway::RestApi")
        self.domain.leads_to = f"{self.emulator.url()}/_aws/execute-api/{api}/api"
        host = self.function_url().removeprefix("https://").partition(".")[0]
        self.answers.leads_to = f"{self.emulator.url()}/_aws/lambda-url/{host}"
        return f"{len(self.emulator.resources(STACK))} resources"

    def roles(self) -> str:
        """Show that the emulator asks the roles: without its policy, a function is refused."""
        iam, api = self.emulator.client("iam"), self.api()
        assert api.ask("GET", "/flow").status_code == 200
        (role,) = (name for name in self.emulator.policies(STACK) if "ApiHandler" in name)
        (policy,) = (name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if name != "batches")
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
        refused = api.ask("GET", "/flow")
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
        assert refused.status_code >= 500, f"a role without rights was served: {refused.status_code}"
        assert "not authorized to perform: dynamodb:" in refused.text, refused.text
        assert api.ask("GET", "/flow").status_code == 200
        self.domain.refusals.clear()
        return "a function without its policy is refused"

    def acceptance(self) -> str:
        """Run the acceptance tests against the API, with the first admin's token."""
        variables = {
            "URL": self.domain.url,
            "TOKEN": self.parameter("admin-token"),
            "KEY": self.parameter("webhook-key"),
        }
        environment = {**os.environ, **{f"ECHOER_DEPLOYED_{name}": value for name, value in variables.items()}}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *self.tests]
        made = subprocess.run(  # noqa: S603 - our own command
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if made.returncode:
            raise CommandFailed(f"the acceptance tests failed:\n{made.stdout[-12_000:]}")
        return f"{made.stdout.strip().splitlines()[-1]}; {self.requests()}, {self.answered()}"

    def function_url_alone(self) -> str:
        """Show that the Function URL serves answers in the form of the API, and nothing else."""
        token = {"Authorization": f"Bearer {self.parameter('admin-token')}"}
        for method, path, expected in (
            ("GET", "/flow", 404),
            ("POST", "/event", 404),
            ("GET", "/step", 405),
            ("POST", "/step", 400),
        ):
            found = requests.request(method, f"{self.answers.url}{path}", headers=token, timeout=30)
            assert (found.status_code, bool(found.json()["error"]["detail"])) == (expected, True), found.text
        odd = self.emulator.client("lambda").invoke(FunctionName=f"{STACK}-callback", Payload=b'{"version": "1.0"}')
        answered = json.load(odd["Payload"])
        assert ("FunctionError" in odd, answered["statusCode"]) == (False, 400), answered
        return "other calls and odd events are refused"

    def update(self) -> str:
        """Deploy a changed setting and changed code while runs go on. New deliveries name another URL for answers."""
        self.emulator.bring_back_sooner(STACK, _BACK_AFTER_S)
        version = self.api().get("/openapi.json")["info"]["version"]
        with Actions() as actions, Traffic(self.api(), actions) as traffic, Slow(self.api(), actions) as slow:
            self.settings["ECHOER_CALLBACK_URL"] = "api"
            self.checkout.configure(**self.settings, ECHOER_MAX_STEPS="999999")
            self.checkout.edit("chalicelib/__init__.py", f'{_VERSION}{version}"', f'{_VERSION}{version}+update"')
            self.checkout.make("deploy")
            self._after_deployment()
            changed = self.emulator.client("lambda").get_function_configuration(FunctionName=f"{STACK}-wake")
            assert changed["Environment"]["Variables"]["ECHOER_MAX_STEPS"] == "999999"
            poll(lambda: f'"{version}+update"' in self.api().ask("GET", "/openapi.json").text)
            traffic.__exit__()
            return f"{traffic.check()}; {slow.check(self.answers.url, self.domain.url)}"

    def switch(self) -> str:
        """Deploy with the Function URL itself as the place of answers: it is the one of before."""
        before = self.function_url()
        self.settings["ECHOER_CALLBACK_URL"] = "function-url"
        self.checkout.configure(**self.settings)
        self.checkout.make("deploy")
        self._after_deployment()
        functions = self.emulator.client("lambda")
        for name in ("deliver", "api_handler"):
            found = functions.get_function_configuration(FunctionName=f"{STACK}-{name}")["Environment"]["Variables"]
            assert found["ECHOER_CALLBACK_URL"] == before == self.function_url(), (name, found)
        poll(lambda: self.api().get("/doctor")["callback_url"] == f"{before}step")
        return "the Function URL has not changed"

    def unchanged(self) -> str:
        """Deploy the same once more: nothing changes."""
        told = self.checkout.make("deploy")
        assert f"the stack {STACK} is up to date" in told, told
        return "nothing to change"

    def remove(self) -> str:
        """Remove the stack as a user does. Its table and keys remain."""
        before = self.emulator.client("dynamodb").describe_table(TableName=STACK)["Table"]["TableStatus"]
        self.checkout.make("remove")
        left = {
            "functions": [one["FunctionName"] for one in self.emulator.client("lambda").list_functions()["Functions"]],
            "queues": self.emulator.client("sqs").list_queues().get("QueueUrls", []),
            "APIs": self.emulator.client("apigateway").get_rest_apis()["items"],
            "rules": self.emulator.client("events").list_rules()["Rules"],
            "roles": [one["RoleName"] for one in self.emulator.client("iam").list_roles()["Roles"]],
        }
        mine = {kind: [one for one in found if STACK in str(one)] for kind, found in left.items()}
        assert not any(mine.values()), f"these remain: {mine}"
        after = self.emulator.client("dynamodb").describe_table(TableName=STACK)["Table"]["TableStatus"]
        assert (before, after) == ("ACTIVE", "ACTIVE")
        assert self.parameter("secrets-key")
        return "all functions, queues, roles, rules and APIs are gone; table and keys remain"

    # ── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def function_url(self) -> str:
        found = self.emulator.client("lambda").get_function_url_config(FunctionName=f"{STACK}-callback")
        return str(found["FunctionUrl"])

    def answered(self) -> str:
        """Return how many answers the Function URL got. Raises AssertionError if a response is a server error."""
        refusals = list(self.answers.refusals)
        assert not refusals, "the Function URL responded with server errors:\n" + "\n".join(refusals[:5])
        return f"{sum(self.answers.statuses.values())} answers to the Function URL"

    def api(self) -> Api:
        return Api(self.domain.url, token=self.parameter("admin-token"))

    def parameter(self, name: str) -> str:
        ssm = self.emulator.client("ssm")
        found = ssm.get_parameter(Name=f"/echoer/{STAGE}/{name}", WithDecryption=True)
        return str(found["Parameter"]["Value"])

    def requests(self) -> str:
        """Return how many requests the API answered. Raises AssertionError if it answered one with a server error."""
        count, refusals = sum(self.domain.statuses.values()), list(self.domain.refusals)
        assert not refusals, f"{len(refusals)} of {count} responses are server errors:\n" + "\n".join(refusals[:5])
        return f"{count} requests"

    def _after_deployment(self) -> None:
        self.emulator.name_batches(STACK)
        self.emulator.apply_gateway_responses(STACK, self.checkout.template)


@contextlib.contextmanager
def running(home: Path) -> Iterator[Emulator]:
    """A context manager in which an emulator runs. It stops only the process that it started."""
    emulator = Emulator(home)
    emulator.stop()
    for attempt in range(_STARTS):
        try:
            emulator.start()
            break
        except ServerError:
            if attempt + 1 == _STARTS:
                raise
    try:
        yield emulator
    finally:
        emulator.stop()


def _install(home: Path) -> str:
    emulator = Emulator(home)
    emulator.install()
    return " ".join(emulator.packages)


def part(name: str, work: Callable[[], str]) -> None:
    """Do a part, and print how long it took and its figures."""
    began = time.monotonic()
    try:
        told = work()
    except BaseException:
        say(f"{name} failed after {time.monotonic() - began:.1f} s")
        raise
    say(f"{name} took {time.monotonic() - began:.1f} s: {told}")


def say(text: str) -> None:
    """Print a line at once, also where the output is a pipe."""
    print(f"cloud: {text}", flush=True)  # noqa: T201 - the output of this command


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cloud", description=__doc__)
    parser.add_argument("--home", default=".echoer/cloud", help="where the emulator is installed")
    parser.add_argument("tests", nargs="*", default=["tests/acceptance"], help="the acceptance tests to run")
    asked = parser.parse_args()
    home = Path(asked.home).resolve()
    home.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("AWS_", "ECHOER_"))]:
        del os.environ[name]
    signal.signal(signal.SIGALRM, _stop)
    signal.signal(signal.SIGTERM, _stop)
    signal.alarm(TIME_LIMIT_S)
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            part("install", lambda: _install(home))
            emulator = stack.enter_context(running(home))
            domain, answers = stack.enter_context(Domain()), stack.enter_context(Domain())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="echoer-cloud-")))
            cloud = Cloud(emulator, domain, answers, folder, asked.tests)
            try:
                for name in PARTS:
                    part(name, getattr(cloud, name))
            except BaseException:
                say(f"the end of the emulator's log:\n{emulator.last_lines()}")
                say(f"statuses of the API: {dict(domain.statuses)}; of the Function URL: {dict(answers.statuses)}")
                raise
    except _FAILURES as error:
        say(f"FAILED: {type(error).__name__}: {error}")
        return 1
    say(f"all parts took {time.monotonic() - began:.1f} s, {sum(domain.statuses.values())} requests")
    return 0


def _stop(signal_number: int, _: object) -> None:
    raise Stopped(f"stopped by {signal.Signals(signal_number).name}: the limit is {TIME_LIMIT_S} s")


if __name__ == "__main__":
    sys.exit(main())
