"""Methods other than HTTP: SQS and Lambda on moto (and a client with injected errors), and gRPC."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from chalicelib.adapters.actions.aws_caller import AwsCaller
from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.adapters.actions.grpc_caller import GrpcCaller
from chalicelib.model.actions import Method
from chalicelib.model.json_values import Json
from chalicelib.service.ports.actions import Call, NotTaken, Reply, Taken
from fsl.local.aws import REGION, MotoStack
from tests.adapters.actions.test_http_caller import Authority, answers, serving

grpc = pytest.importorskip("grpc")
struct_pb2 = pytest.importorskip("google.protobuf.struct_pb2")

UUID = "11111111-2222-8333-8444-555555555555"
BODY = json.dumps({"flowId": "r1", "uuid": UUID, "ackStates": ["OK"], "n": 3}).encode()
OURS = {
    "Idempotency-Key": UUID,
    "traceparent": "00-1-2-01",
    "webhook-id": UUID,
    "webhook-timestamp": "1800000000",
    "webhook-signature": "v1,abc=",
}


def call(method: Method, *addresses: str, body: bytes = BODY, own: Mapping[str, str] | None = None) -> Call:
    """`own`: headers that the action declares."""
    return Call(addresses, body, {**(own or {}), **OURS}, method=method)


def dispatcher() -> Dispatcher:
    return Dispatcher(lambda: 0)


# ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", [Method.HTTP, Method.HTTPS])
def test_http_goes_over_http(method: Method) -> None:
    with serving(answers(200, b'{"ackState":"OK"}')) as server:
        assert dispatcher().post(call(method, server.url)) == Taken({"ackState": "OK"})
        assert server.requests[0][2] == BODY


def test_nothing_is_sent_to_a_person() -> None:
    reply = dispatcher().post(call(Method.HUMAN))
    assert isinstance(reply, NotTaken)
    assert reply.final


@pytest.mark.parametrize("method", [Method.HTTP, Method.QUEUE, Method.LAMBDA, Method.GRPC])
def test_no_address_is_final(method: Method) -> None:
    assert dispatcher().post(call(method)) == NotTaken("the action has no address", final=True)


def test_what_a_method_needs_is_not_imported_before_it_is_used() -> None:
    program = (
        "import sys; from chalicelib.adapters.actions.dispatch import Dispatcher; Dispatcher(lambda: 0);"
        "print([name for name in ('botocore', 'grpc', 'google.protobuf', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


# ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sqs(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SQS in this process; actions find the region in the environment."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return botocore.session.get_session().create_client("sqs", region_name=REGION)


def received(sqs: Any, url: str) -> dict[str, Any]:
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    (message,) = answer["Messages"]
    return dict(message)


def test_the_body_is_the_message_and_the_headers_are_its_attributes(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    unfit = {"X-Empty": "", "a!b": "x", "AWS.x": "x"}
    own = {**unfit, **{f"X-{number}": "ä" for number in range(9)}}
    assert dispatcher().post(call(Method.QUEUE, "jobs", own=own)) == Taken()
    message = received(sqs, url)
    assert message["Body"].encode() == BODY
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {**OURS, **{f"X-{number}": "ä" for number in range(5)}}


def test_a_queue_may_be_named_by_its_url(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="by-url")["QueueUrl"]
    assert dispatcher().post(call(Method.QUEUE, url)) == Taken()
    assert received(sqs, url)["Body"].encode() == BODY


def test_a_fifo_queue_keeps_a_run_in_order_and_drops_what_comes_twice(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    by = dispatcher()
    assert [by.post(call(Method.QUEUE, "jobs.fifo")) for _ in range(2)] == [Taken(), Taken()]
    attributes = received(sqs, url)["Attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("r1", UUID)


@pytest.mark.parametrize("name", ["日本", "a b", "x" * 129, ""])
def test_a_run_whose_name_sqs_does_not_take_is_a_group_too(sqs: Any, name: str) -> None:
    url = sqs.create_queue(QueueName="named.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    body = json.dumps({"flowId": name, "uuid": name.encode().hex()[:60] or "none"}).encode()
    assert dispatcher().post(call(Method.QUEUE, url, body=body)) == Taken()
    message = received(sqs, url)
    assert len(message["Attributes"]["MessageGroupId"]) == 64
    sqs.delete_queue(QueueUrl=url)


def test_no_such_queue_is_final(sqs: Any) -> None:
    reply = dispatcher().post(call(Method.QUEUE, "nobody", "jobs"))
    assert isinstance(reply, NotTaken)
    assert (reply.final, "nobody" in reply.error, "exist" in reply.error) == (True, True, True)


def test_no_credentials_and_no_region_are_final(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert dispatcher().post(call(Method.QUEUE, "jobs")) == NotTaken(
        "jobs cannot be called (set AWS_DEFAULT_REGION, such as eu-central-1): You must specify a region.", final=True
    )


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class FakeAws:
    """Replaces botocore: its clients raise the given errors, once each, and record their calls."""

    errors: list[Exception] = field(default_factory=list)
    connected: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def connect(self, service: str, region: str | None, endpoint: str | None, seconds: float) -> FakeAws:
        self.connected.append((service, region, endpoint))
        return self

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if self.errors:
            raise self.errors.pop(0)
        return {"StatusCode": 202, "Payload": io.BytesIO()}

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 - AWS's name
        self.asked.append({"QueueName": QueueName})
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def send_message(self, **asked: Any) -> None:
        self.invoke(**asked)

    def caller(self) -> AwsCaller:
        return AwsCaller(self.connect)


def aws_error(code: str, status: int, **headers: str) -> ClientError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    meta: dict[str, Any] = {"HTTPStatusCode": status, "HTTPHeaders": named}
    response: Any = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": meta}
    return ClientError(response, "Invoke")


def test_a_function_is_invoked_asynchronously_with_the_body() -> None:
    aws = FakeAws()
    assert aws.caller().post(call(Method.LAMBDA, "charge:live")) == Taken()
    assert aws.asked == [{"FunctionName": "charge:live", "InvocationType": "Event", "Payload": BODY}]
    assert aws.connected == [("lambda", None, None)]


def test_a_real_client_invokes_a_function(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto has no such function. Its error shows that the client reached it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    reply = dispatcher().post(call(Method.LAMBDA, "nobody"))
    assert isinstance(reply, NotTaken)
    assert (reply.final, "nobody answered ResourceNotFoundException" in reply.error) == (True, True)


def test_clients_are_made_once_for_where_the_addresses_are() -> None:
    aws = FakeAws()
    by = aws.caller()
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:charge"
    for _ in range(2):
        by.post(call(Method.LAMBDA, arn))
        by.post(call(Method.QUEUE, "https://sqs.eu-north-1.amazonaws.com/123456789012/q"))
        by.post(call(Method.QUEUE, "http://localhost:9324/000000000000/q"))
        by.post(call(Method.QUEUE, "q"))
    assert aws.connected == [
        ("lambda", "eu-west-1", None),
        ("sqs", "eu-north-1", "https://sqs.eu-north-1.amazonaws.com"),
        ("sqs", None, "http://localhost:9324"),
        ("sqs", None, None),
    ]
    assert sum("QueueName" in asked for asked in aws.asked) == 1


@pytest.mark.parametrize(
    ("error", "final", "retry_after"),
    [
        (aws_error("TooManyRequestsException", 429, retry_after="7"), False, 7_000),
        (aws_error("ThrottlingException", 400), False, 0),
        (aws_error("ResourceConflictException", 409), False, 0),
        (aws_error("ServiceException", 500, retry_after="soon"), False, 0),
        (aws_error("EC2ThrottledException", 502), False, 0),
        (aws_error("AWS.SimpleQueueService.RequestThrottled", 403), False, 0),
        (aws_error("ResourceNotFoundException", 404, retry_after="7"), True, 0),
        (aws_error("AccessDeniedException", 403), True, 0),
        (aws_error("RequestTooLargeException", 413), True, 0),
        (EndpointConnectionError(endpoint_url="https://x"), False, 0),
        (NoCredentialsError(), True, 0),
    ],
)
@pytest.mark.parametrize("method", [Method.LAMBDA, Method.QUEUE])
def test_what_went_wrong_says_whether_to_try_again(
    method: Method, error: Exception, final: bool, retry_after: int
) -> None:
    reply = FakeAws([error]).caller().post(call(method, "charge"))
    assert isinstance(reply, NotTaken)
    assert (reply.final, reply.retry_after) == (final, retry_after)
    assert reply.error.startswith("charge ")


@pytest.mark.parametrize("method", [Method.LAMBDA, Method.QUEUE])
def test_without_credentials_the_error_says_what_to_set(method: Method) -> None:
    reply = FakeAws([NoCredentialsError()]).caller().post(call(method, "charge"))
    assert isinstance(reply, NotTaken)
    assert "(set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)" in reply.error


def test_the_next_address_is_tried_unless_the_refusal_is_final() -> None:
    busy, gone = aws_error("ServiceException", 500), aws_error("ResourceNotFoundException", 404)
    assert FakeAws([busy]).caller().post(call(Method.LAMBDA, "one", "two")) == Taken()
    aws = FakeAws([gone])
    assert isinstance(aws.caller().post(call(Method.LAMBDA, "one", "two")), NotTaken)
    assert len(aws.asked) == 1


# ── gRPC ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

Behave = Callable[[Any, Any], Any]


@dataclass
class Service:
    """A gRPC service `pay.Charge/Do` that records its requests."""

    behave: Behave
    port: int = 0
    asked: list[tuple[dict[str, Json], dict[str, str]]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}/pay.Charge/Do"

    def do(self, raw: bytes, context: Any) -> bytes:
        fields = struct_pb2.Struct.FromString(raw)
        metadata = {name: value for name, value in context.invocation_metadata() if name != "user-agent"}
        self.asked.append((as_json(fields), metadata))
        answer = self.behave(fields, context)
        return answer if isinstance(answer, bytes) else bytes(answer.SerializeToString(deterministic=True))


def as_json(fields: Any) -> dict[str, Json]:
    return {name: list(value) if hasattr(value, "append") else value for name, value in fields.items()}


def struct(**fields: Json) -> Any:
    made = struct_pb2.Struct()
    made.update(fields)
    return made


@contextmanager
def served(behave: Behave = lambda asked, context: struct(), tls: bytes | None = None) -> Iterator[Service]:
    """`tls`: a private key and its certificate, as PEM."""
    service = Service(behave)
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(service.do)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pay.Charge", {"Do": handler}),))
    if tls is None:
        service.port = server.add_insecure_port("127.0.0.1:0")
    else:
        service.port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(tls, tls)]))
    server.start()
    try:
        yield service
    finally:
        server.stop(None).wait()


def refuses(code: str, details: str = "because", **trailing: str) -> Behave:
    def behave(asked: Any, context: Any) -> Any:
        context.set_trailing_metadata([(name.replace("_", "-"), value) for name, value in trailing.items()])
        context.abort(getattr(grpc.StatusCode, code), details)

    return behave


def by_grpc(*addresses: str, ca_bundle: str | None = None, timeout: float = 5.0) -> Reply:
    return GrpcCaller(timeout=timeout).post(Call(addresses, BODY, {}, ca_bundle, Method.GRPC))


def test_the_body_is_a_struct_and_the_headers_are_metadata() -> None:
    with served() as service:
        assert dispatcher().post(call(Method.GRPC, service.address, own={"X-Team": "pay"})) == Taken({})
        ((fields, metadata),) = service.asked
    assert fields == {"flowId": "r1", "uuid": UUID, "ackStates": ["OK"], "n": 3.0}
    assert metadata == {"x-team": "pay", **{name.lower(): value for name, value in OURS.items()}}


def test_the_answer_is_a_struct_with_whole_numbers_as_integers() -> None:
    data = {"n": 3, "half": 0.5, "many": [1, {"deep": -2}, None, True, "x"], "vast": 1e300}
    with served(lambda asked, context: struct(ackState="OK", data=data)) as service:
        reply = by_grpc(service.address)
    assert reply == Taken({"ackState": "OK", "data": data})
    assert isinstance(reply, Taken)
    assert reply.answer is not None
    assert isinstance(reply.answer["data"]["n"], int)


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xff\xff",
        struct(x=math.inf).SerializeToString(deterministic=True),
        struct(x="x" * 300_000).SerializeToString(),
    ],
)
def test_an_answer_that_cannot_be_read_was_taken_all_the_same(answer: bytes) -> None:
    with served(lambda asked, context: answer) as service:
        assert by_grpc(service.address) == Taken()


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNKNOWN", "CANCELLED"])
def test_temporary_status_codes_are_retried(code: str) -> None:
    with served(refuses(code)) as service:
        reply = by_grpc(service.address)
        assert reply == NotTaken(f"{service.address} answered {code}: because", final=False)


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION"]
)
def test_permanent_status_codes_are_final(code: str) -> None:
    with served(refuses(code, "x" * 5000)) as service:
        reply = by_grpc(service.address, "127.0.0.1:1/pay.Charge/Do")
    assert isinstance(reply, NotTaken)
    assert (reply.final, len(reply.error)) == (True, 1000)


def test_no_such_method_is_final() -> None:
    with served() as service:
        reply = by_grpc(service.address.replace("Do", "Undo"))
    assert isinstance(reply, NotTaken)
    assert (reply.final, "UNIMPLEMENTED" in reply.error) == (True, True)


def test_a_service_may_ask_for_patience() -> None:
    with served(refuses("RESOURCE_EXHAUSTED", grpc_retry_pushback_ms="1500")) as service:
        reply = by_grpc(service.address)
    assert isinstance(reply, NotTaken)
    assert (reply.final, reply.retry_after) == (False, 1500)


def test_a_service_that_is_slow_is_tried_again() -> None:
    def wait(asked: Any, context: Any) -> Any:
        given_up = threading.Event()
        if context.add_callback(given_up.set):
            given_up.wait()
        return struct()

    with served(wait) as service:
        assert by_grpc(service.address, timeout=0.2) == NotTaken(
            f"{service.address} did not answer within 0.2 s", final=False
        )


def test_an_unreachable_server_is_retried_and_the_next_address_tried_at_once() -> None:
    nobody = "127.0.0.1:1/pay.Charge/Do"
    reply = by_grpc(nobody)
    assert isinstance(reply, NotTaken)
    assert (reply.final, "UNAVAILABLE" in reply.error) == (False, True)
    with served() as service:
        assert by_grpc(nobody, service.address) == Taken({})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            struct(ackState="OK").SerializeToString(deterministic=True) + b"\xff\xff",
            "it is not a valid google.protobuf.Struct: ",
        ),
        (
            struct(ackState="OK", x=math.nan).SerializeToString(deterministic=True),
            "it is not a valid google.protobuf.Struct: ",
        ),
        (
            struct(ackState="OK", x="x" * 300_000).SerializeToString(deterministic=True),
            "it is larger than 262144 bytes",
        ),
    ],
    ids=["no message", "NaN", "too large"],
)
def test_an_answer_that_cannot_be_read_and_has_a_state_says_why(answer: bytes, problem: str) -> None:
    with served(lambda asked, context: answer) as service:
        reply = by_grpc(service.address)
    assert isinstance(reply, Taken)
    assert (reply.answer, reply.problem[: len(problem)]) == (None, problem)


@pytest.mark.parametrize(
    ("number", "is_sent"), [(2**53, True), (2**53 + 1, False), (-(2**53) - 1, False), (2**70, True), (10**400, False)]
)
def test_an_integer_that_no_double_equals_is_not_sent(number: int, *, is_sent: bool) -> None:
    body = f'{{"order": [{{"id": {number}, "paid": true}}]}}'.encode()
    with served() as service:
        reply = GrpcCaller(timeout=5.0).post(Call((service.address,), body, {}, None, Method.GRPC))
    if is_sent:
        assert reply == Taken({})
        assert int(service.asked[0][0]["order"][0]["id"]) == number
    else:
        shown = "an integer of 1329 bits" if number == 10**400 else number
        cause = f"gRPC cannot send {shown}: a google.protobuf.Struct has only doubles"
        assert (reply, service.asked) == (NotTaken(cause, final=True), [])


@pytest.mark.parametrize("header", [{"X-Bin-bin": "x"}, {"X": "ä"}, {"X!": "x"}, {"grpc-timeout": "1S"}])
def test_a_header_that_metadata_cannot_hold_is_final(header: dict[str, str]) -> None:
    reply = GrpcCaller().post(call(Method.GRPC, "127.0.0.1:1/pay.Charge/Do", own=header))
    assert isinstance(reply, NotTaken)
    assert (reply.final, "header" in reply.error) == (True, True)


def test_a_body_too_deep_for_a_struct_is_final() -> None:
    body = b'{"a":' * 64 + b"1" + b"}" * 64
    reply = GrpcCaller().post(Call(("127.0.0.1:1/pay.Charge/Do",), body, method=Method.GRPC))
    assert isinstance(reply, NotTaken)
    assert (reply.final, "Struct" in reply.error) == (True, True)


def test_without_the_packages_the_error_names_them() -> None:
    def load(name: str) -> Any:
        raise ImportError(name)

    reply = GrpcCaller(load).post(call(Method.GRPC, "127.0.0.1:1/pay.Charge/Do"))
    assert reply == NotTaken("gRPC is not installed here: add the packages grpcio and protobuf", final=True)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("theirs"))


def test_an_action_with_roots_is_called_over_tls_under_these_alone(ours: Authority, theirs: Authority) -> None:
    with served(tls=(ours.folder / "127.0.0.1.pem").read_bytes()) as service:
        assert by_grpc(service.address, ca_bundle=ours.ca_bundle) == Taken({})
        untrusted = NotTaken(f"{service.address} has a certificate that is not trusted", final=True)
        assert by_grpc(service.address, ca_bundle=theirs.ca_bundle) == untrusted
        secure = f"grpcs://{service.address}"
        assert by_grpc(secure, ca_bundle=ours.ca_bundle) == Taken({})
        assert by_grpc(secure) == NotTaken(f"{secure} has a certificate that is not trusted", final=True)
        plain = by_grpc(service.address)
        assert isinstance(plain, NotTaken)
        assert not plain.final
        assert len(service.asked) == 2


def test_roots_that_are_none_are_final() -> None:
    reply = by_grpc("127.0.0.1:1/pay.Charge/Do", ca_bundle="no base64!")
    assert reply == NotTaken("the action's CA bundle is invalid: it must be a PEM bundle in base64", final=True)
