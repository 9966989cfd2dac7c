"""The egress policy: every range, every notation of an address, and that the checked address is the connected one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chalicelib import config
from chalicelib.adapters.actions.dispatch import Dispatcher
from chalicelib.adapters.actions.egress import EgressPolicy, GuardedCaller
from chalicelib.adapters.actions.http_caller import HttpCaller
from chalicelib.config import BadSetting, EgressScope
from chalicelib.model.actions import Method
from chalicelib.service.ports.actions import Call, NotTaken, Reply, Taken

PUBLIC = EgressPolicy(public=True)


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ("127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 ::1 ::", "an address of this machine"),
        ("10.0.0.5 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255", "a private address"),
        ("fc00::1 fd12:3456::1 fec0::1 64:ff9b:1::a00:5", "a private address"),
        ("169.254.0.1 169.254.255.255 fe80::1 fe80::1%eth0 febf::1", "a link-local address"),
        ("224.0.0.1 239.255.255.255 ff02::1 ff05::2", "a multicast address"),
        ("240.0.0.1 255.255.255.255 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9", "a reserved address"),
        ("192.88.99.1 2001:db8::1 3fff::1 2001::1 100::1 5f00::1 4000::1 ::ffff:0:7f00:1", "a reserved address"),
    ],
)
def test_what_is_not_public_is_refused(addresses: str, reason: str) -> None:
    assert {address: PUBLIC.refuses(address) for address in addresses.split()} == dict.fromkeys(
        addresses.split(), reason
    )


@pytest.mark.parametrize(
    "addresses",
    [
        "169.254.169.254 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 192.0.0.192",
        "fd00:ec2::254 fd00:ec2::23 fd20:ce::254",
        "::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1",
    ],
)
def test_credentials_of_clouds_are_out_of_reach(addresses: str) -> None:
    reasons = {PUBLIC.refuses(address) for address in addresses.split()}
    assert reasons == {"an address that clouds serve credentials from"}


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.5", "192.168.1.1", "224.0.0.1", "0.0.0.0"])
def test_an_address_within_an_address_is_seen(inner: str) -> None:
    packed = socket.inet_aton(inner)
    pair = f"{packed[:2].hex()}:{packed[2:].hex()}"
    for outer in (f"::ffff:{inner}", f"64:ff9b::{inner}", f"2002:{pair}::1", f"2002:{pair}:5::8.8.8.8"):
        assert PUBLIC.refuses(outer) == PUBLIC.refuses(inner) is not None
    assert PUBLIC.refuses(f"::{inner}") is not None
    assert PUBLIC.refuses("2001:0:808:808::f5ff:fffa") == "a reserved address"  # Teredo, for 10.0.0.5


@pytest.mark.parametrize(
    "addresses",
    [
        "8.8.8.8 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0",
        "169.253.255.255 169.255.0.0 192.167.255.255 192.169.0.0 223.255.255.255",
        "2606:4700::1111 2a05:d018::1 2001:4860:4860::8888",
        "::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1",
    ],
)
def test_what_is_public_is_let_through(addresses: str) -> None:
    assert {PUBLIC.refuses(address) for address in addresses.split()} == {None}


@pytest.mark.parametrize("address", ["", "/run/docker.sock", "example.com", "127.1", "0x7f000001"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert PUBLIC.refuses(address) == "not an internet address"


def test_only_listed_networks_are_allowed() -> None:
    listed = EgressPolicy(public=True, allow=["10.1.0.0/16", "fd12::/16", "192.168.7.7", "Inner.example."])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::9", "192.168.7.7"):
        assert listed.refuses(address) is None
    for address in ("10.2.0.1", "192.168.7.8", "fd13::9", "169.254.169.254"):
        assert listed.refuses(address) is not None
    assert listed.refuses("10.9.9.9", "inner.EXAMPLE") is None
    assert listed.refuses("10.9.9.9", "inner.example.evil.example") is not None
    assert listed.refuses("10.9.9.9", "more.inner.example") is not None


def test_an_invalid_network_is_reported() -> None:
    with pytest.raises(ValueError, match="host bits"):
        EgressPolicy(public=True, allow=["10.0.0.5/8"])


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def post(address: str, *allow: str) -> Reply:
    caller = HttpCaller(lambda: 0, connect=0.5, total=2.0, egress=EgressPolicy(public=True, allow=allow))
    return caller.post(Call(addresses=(address,), body=b"{}"))


def refusal(address: str, found: str, reason: str) -> NotTaken:
    error = f"{address} resolves to {found}, {reason}; add it to ECHOER_OUTBOUND_ALLOW"
    return NotTaken(error, final=True, name="Forbidden")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "017700000001", "0x7f.0.0.01"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_notation_of_an_address_is_the_same_address(scheme: str, host: str) -> None:
    address = f"{scheme}://{host}:9/"
    assert post(address) == refusal(address, "127.0.0.1", "an address of this machine")


@pytest.mark.parametrize(
    ("host", "found", "reason"),
    [
        ("0", "0.0.0.0", "an address of this machine"),
        ("[::]", "::", "an address of this machine"),
        ("[::ffff:10.0.0.5]", "::ffff:10.0.0.5", "a private address"),
        ("me:secret@10.0.0.5", "10.0.0.5", "a private address"),
        ("169.254.169.254", "169.254.169.254", "an address that clouds serve credentials from"),
        ("2852039166", "169.254.169.254", "an address that clouds serve credentials from"),
        ("[fd00:ec2::254]", "fd00:ec2::254", "an address that clouds serve credentials from"),
    ],
)
def test_no_disguise_helps(host: str, found: str, reason: str) -> None:
    shown = f"http://{host.removeprefix('me:secret@')}/latest/meta-data"
    assert post(f"http://{host}/latest/meta-data") == refusal(shown, found, reason)


@dataclass
class Resolver:
    """Resolves `evil.example`, each time to the next of its `answers`."""

    answers: list[list[str]]
    connected: list[object] = field(default_factory=list)

    def getaddrinfo(self, host: str, port: int, **flags: object) -> list[object]:
        if flags.get("flags") == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "a name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answers.pop(0)]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resolver]:
    def make(*answers: list[str]) -> Resolver:
        made = Resolver(list(answers))

        class Watched(socket.socket):
            def connect(self, address: object) -> None:
                made.connected.append(address)
                raise ConnectionRefusedError

        monkeypatch.setattr("chalicelib.adapters.actions.connections.socket.getaddrinfo", made.getaddrinfo)
        monkeypatch.setattr("chalicelib.adapters.actions.connections.socket.socket", Watched)
        return made

    return make


def test_a_name_is_asked_once_and_that_answer_is_connected_to(resolver: Callable[..., Resolver]) -> None:
    """DNS rebinding: a second lookup would return an internal address."""
    names = resolver(["8.8.8.8"], ["10.0.0.5"])
    assert post("http://evil.example:8/") == NotTaken("http://evil.example:8/ refused the connection", final=False)
    assert names.connected == [("8.8.8.8", 8)]
    assert post("http://evil.example:8/") == refusal("http://evil.example:8/", "10.0.0.5", "a private address")
    assert names.connected == [("8.8.8.8", 8)]


def test_one_address_of_the_inside_among_others_is_enough(resolver: Callable[..., Resolver]) -> None:
    names = resolver(["8.8.8.8", "10.0.0.5"])
    assert post("http://evil.example/") == refusal("http://evil.example/", "10.0.0.5", "a private address")
    assert names.connected == []


def test_a_name_that_is_listed_may_lead_inside(resolver: Callable[..., Resolver]) -> None:
    names = resolver(["10.0.0.5"])
    assert post("http://Evil.Example./", "evil.example") == NotTaken(
        "http://Evil.Example./ refused the connection", final=False
    )
    assert names.connected == [("10.0.0.5", 80)]


def test_the_next_address_is_tried_after_one_that_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        last = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    caller = HttpCaller(lambda: 0, egress=EgressPolicy(public=True, allow=["127.0.0.1"]))
    reply = caller.post(Call(addresses=("http://10.0.0.5/", last), body=b"{}"))
    assert reply == NotTaken(f"{last} refused the connection", final=False)


# ── methods with libraries that resolve names ────────────────────────────────────────────────────────────────────────


@dataclass
class Library:
    calls: list[Call] = field(default_factory=list)

    def post(self, call: Call) -> Reply:
        self.calls.append(call)
        return Taken()


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.5:50051/a.B/C",
        "grpcs://[::1]:50051/a.B/C",
        "inside:50051/a.B/C",
        "2130706433:1/a.B/C",
        "x@listed:1/a.B/C",
        "listed#:1/a.B/C",
        "listed%2e:1/a.B/C",
        "listed\\:1/a.B/C",
        "",
    ],
)
def test_grpc_reaches_public_addresses_and_listed_names_alone(address: str) -> None:
    library = Library()
    fenced = GuardedCaller(library, EgressPolicy(public=True, allow=["listed"]), always_hosts=True)
    reply = fenced.post(Call(addresses=("listed:50051/a.B/C", address), body=b"{}", method=Method.GRPC))
    assert isinstance(reply, NotTaken)
    assert (reply.final, library.calls) == (True, [])
    assert fenced.post(Call(addresses=("listed:1/a.B/C", "8.8.8.8:1/a.B/C"), body=b"{}")) == Taken()


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("work", True),
        ("arn:aws:lambda:eu-west-1:1:function:f", True),
        ("https://sqs.eu-west-1.amazonaws.com/1/work", True),
        ("https://eu-west-1.queue.amazonaws.com/1/work", True),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/work", True),
        ("http://169.254.169.254/latest", False),
        ("https://sqs.eu-west-1.amazonaws.com.evil.example/1/work", False),
        ("https://ec2-10-0-0-5.compute-1.amazonaws.com/1/work", False),
        ("https://sqs.eu-west-1.amazonaws.com@127.0.0.1/1/work", False),
        ("https://sqs.eu-west-1.amazonaws.com\\@127.0.0.1/1/work", False),
    ],
)
def test_a_queue_is_reached_at_aws_alone(address: str, passes: bool) -> None:
    library = Library()
    reply = GuardedCaller(library, PUBLIC, always_hosts=False).post(Call(addresses=(address,), body=b"{}"))
    assert (isinstance(reply, Taken), len(library.calls)) == (passes, int(passes))


@pytest.mark.parametrize(
    ("method", "address", "said"),
    [
        (Method.HTTP, "http://127.0.0.1:9/", "resolves to 127.0.0.1, an address of this machine"),
        (Method.GRPC, "127.0.0.1:9/a.B/C", "127.0.0.1 is an address of this machine"),
        (Method.QUEUE, "http://127.0.0.1:9/1/work", "127.0.0.1 is an address of this machine"),
    ],
)
def test_every_method_obeys(method: Method, address: str, said: str) -> None:
    reply = Dispatcher(lambda: 0, egress=PUBLIC).post(Call(addresses=(address,), body=b"{}", method=method))
    assert isinstance(reply, NotTaken)
    assert reply.final
    assert said in reply.error
    assert reply.error.endswith("add it to ECHOER_OUTBOUND_ALLOW")
    assert reply.name == "Forbidden"


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment", "reach"),
    [
        ({}, EgressScope.ANY),
        ({"ECHOER_BACKEND": "memory"}, EgressScope.ANY),
        ({"ECHOER_BACKEND": " AWS"}, EgressScope.PUBLIC),
        ({"ECHOER_BACKEND": "aws", "ECHOER_DYNAMODB_URL": "https://vpce-1.dynamodb.example"}, EgressScope.PUBLIC),
        ({"ECHOER_BACKEND": "aws", "ECHOER_DYNAMODB_URL": "http://127.0.0.1:8000"}, EgressScope.ANY),
        ({"ECHOER_BACKEND": "aws", "ECHOER_OUTBOUND": "any"}, EgressScope.ANY),
        ({"ECHOER_OUTBOUND": "Public"}, EgressScope.PUBLIC),
    ],
)
def test_on_aws_only_public_addresses_are_let_through(environment: dict[str, str], reach: EgressScope) -> None:
    assert config.from_environment(environment).outbound is reach


def test_what_is_allowed_is_a_list() -> None:
    given = "10.1.0.0/16, fd12::/16,inner.example ,192.168.7.7,"
    listed = config.from_environment({"ECHOER_OUTBOUND_ALLOW": given}).outbound_allow
    assert listed == ("10.1.0.0/16", "fd12::/16", "inner.example", "192.168.7.7")


@pytest.mark.parametrize("given", ["10.0.0.5/8", "10.0.0.0/33", "http://inner.example", "a b", "*.example", "::g"])
def test_an_invalid_entry_is_reported(given: str) -> None:
    with pytest.raises(BadSetting, match="ECHOER_OUTBOUND_ALLOW"):
        config.from_environment({"ECHOER_OUTBOUND_ALLOW": given})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://10.0.0.5/in", "a private address"),
        ("http://127.0.0.1:8080/", "an address of this machine"),
        ("http://localhost/", "an address of this machine"),
        ("http://a.LOCALHOST./x", "an address of this machine"),
        ("http://[::1]:80/", "an address of this machine"),
        ("http://169.254.169.254/latest/meta-data", "an address that clouds serve credentials from"),
        ("https://hooks.example/in", None),
        ("https://8.8.8.8/", None),
    ],
)
def test_a_url_is_refused_before_it_is_resolved_if_that_is_certain(url: str, reason: str | None) -> None:
    expected = None if reason is None else f"is {reason}: add it to ECHOER_OUTBOUND_ALLOW"
    assert PUBLIC.refuses_url(url) == expected
    assert EgressPolicy().refuses_url(url) is None


def test_a_url_that_is_listed_is_permitted() -> None:
    listed = EgressPolicy(public=True, allow=["10.0.0.0/8", "127.0.0.1"])
    assert listed.refuses_url("https://10.0.0.5/in") is None
    assert listed.refuses_url("http://localhost:3000/") is None
    assert listed.refuses_url("http://192.168.0.1/") is not None
