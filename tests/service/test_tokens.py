"""Access tokens and request rates: which callers are accepted, for how long, and how often."""

from __future__ import annotations

import pytest

from chalicelib.adapters.virtual import SequentialIds
from chalicelib.service.errors import Conflict, Invalid, NotFound
from chalicelib.service.security.namespaces import is_namespace
from chalicelib.service.security.rate_limits import Rates, TooManyRequests
from chalicelib.service.security.roles import Caller, Role, Unauthorized
from chalicelib.service.security.tokens import MAX_TOKEN_LIFETIME_MS, MAX_TOKENS, TOKEN_CACHE_MS, Made, Tokens, sha256
from tests.fakes import FakeClock
from tests.service.versioned_values import VersionedValues

FIRST = "f" * 32
DAY = 86_400_000


class TwoContainers:
    """Return two containers that share versioned values."""

    def __init__(self) -> None:
        self.versioned_values, self.clock, ids = VersionedValues(), FakeClock(), SequentialIds()
        self.here, self.there = (
            Tokens(self.versioned_values, self.clock, ids, "default", sha256(FIRST)) for _ in range(2)
        )

    def make(self, name: str = "ci", role: Role = Role.VIEWER, namespace: str = "a", life: int | None = None) -> Made:
        return self.here.make(namespace, name, role, by="admin", life=life)


@pytest.fixture
def containers() -> TwoContainers:
    return TwoContainers()


def test_a_token_says_whose_it_is(containers: TwoContainers) -> None:
    made = containers.make(role=Role.OPERATOR)
    assert containers.there.caller(made.text) == Caller(
        id=made.token.id, by="token ci", role=Role.OPERATOR, namespace="a", bound=True
    )


def test_only_the_hash_of_the_secret_is_kept(containers: TwoContainers) -> None:
    secret = containers.make().text.rpartition("_")[2]
    assert len(secret) == 64
    assert not any(secret.encode() in value for value in containers.versioned_values.values)
    assert any(sha256(secret).encode() in value for value in containers.versioned_values.values)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.upper(),
        lambda text: text + "0",
        lambda text: f"ech_{'0' * 16}_{text.rpartition('_')[2]}",
        lambda text: f" {text}",
        lambda text: FIRST[:-1],
        lambda text: FIRST + "f",
    ],
)
def test_any_other_text_is_no_token(containers: TwoContainers, spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(Unauthorized, match="unknown"):
        containers.here.caller(spoil(containers.make().text))


def test_the_first_admin_is_known_by_a_setting(containers: TwoContainers) -> None:
    assert containers.here.caller(FIRST) == Caller(by="admin", role=Role.ADMIN, namespace="default", bound=False)
    assert containers.versioned_values.reads == 0


@pytest.mark.parametrize("length", [31, 32])
def test_a_first_token_that_is_too_short_is_refused(length: int) -> None:
    text = "s" * length
    tokens = Tokens(VersionedValues(), FakeClock(), SequentialIds(), "default", sha256(text))
    if length >= 32:
        assert tokens.caller(text).by == "admin"
    else:
        with pytest.raises(Unauthorized):
            tokens.caller(text)


def test_without_the_setting_there_is_no_first_admin() -> None:
    with pytest.raises(Unauthorized):
        Tokens(VersionedValues(), FakeClock(), SequentialIds(), "default", None).caller(FIRST)


def test_a_token_is_good_until_it_expires(containers: TwoContainers) -> None:
    made = containers.make(life=DAY)
    containers.clock.advance(DAY - 1)
    assert containers.here.caller(made.text).by == "token ci"
    containers.clock.advance(1)
    with pytest.raises(Unauthorized, match="expired"):
        containers.here.caller(made.text)


@pytest.mark.parametrize("life", [0, -1, MAX_TOKEN_LIFETIME_MS + 1])
def test_a_life_has_bounds(containers: TwoContainers, life: int) -> None:
    with pytest.raises(Invalid, match="3650d"):
        containers.make(life=life)
    assert containers.make(life=1).token.expires_at == containers.clock.now() + 1
    assert (
        containers.make(life=MAX_TOKEN_LIFETIME_MS).token.expires_at == containers.clock.now() + MAX_TOKEN_LIFETIME_MS
    )


def test_a_revoked_token_is_refused_here_at_once_and_elsewhere_within_half_a_minute(containers: TwoContainers) -> None:
    made = containers.make()
    containers.here.caller(made.text)
    containers.there.caller(made.text)
    containers.here.revoke("a", made.token.id)
    with pytest.raises(Unauthorized, match="revoked"):
        containers.here.caller(made.text)
    containers.clock.advance(TOKEN_CACHE_MS - 1)
    assert containers.there.caller(made.text).by == "token ci"
    containers.clock.advance(1)
    with pytest.raises(Unauthorized, match="revoked"):
        containers.there.caller(made.text)


def test_a_token_is_read_once_in_half_a_minute(containers: TwoContainers) -> None:
    made = containers.make()
    containers.versioned_values.reads = 0
    for _ in range(3):
        containers.here.caller(made.text)
    with pytest.raises(Unauthorized):
        containers.here.caller(made.text[:-4] + "0000")
    assert containers.versioned_values.reads == 1


def test_tokens_are_listed_by_namespace_in_the_order_of_their_making(containers: TwoContainers) -> None:
    for name, namespace in (("one", "a"), ("other", "b"), ("two", "a")):
        containers.make(name, namespace=namespace)
    assert [token.name for token in containers.there.of("a")] == ["one", "two"]
    assert [token.name for token in containers.there.of("b")] == ["other"]
    assert containers.there.of("c") == []


def test_a_token_of_another_namespace_cannot_be_revoked(containers: TwoContainers) -> None:
    made = containers.make()
    with pytest.raises(NotFound):
        containers.here.revoke("b", made.token.id)
    assert containers.here.caller(made.text).namespace == "a"


def test_revoking_again_changes_nothing(containers: TwoContainers) -> None:
    made = containers.make()
    gone = containers.here.revoke("a", made.token.id)
    containers.clock.advance(1_000)
    assert containers.there.revoke("a", made.token.id) == gone


def test_a_namespace_has_room_for_so_many_good_tokens(containers: TwoContainers) -> None:
    """Expired and revoked tokens do not count."""
    made = [containers.make(f"t{number}") for number in range(MAX_TOKENS)]
    with pytest.raises(Invalid, match="which is the limit"):
        containers.make("late")
    containers.make("elsewhere", namespace="b")
    containers.here.revoke("a", made[3].token.id)
    containers.make("late")
    names = [token.name for token in containers.here.of("a")]
    assert (len(names), names[-1], "t3" in names) == (MAX_TOKENS, "late", False)


def test_the_loser_of_a_write_tries_again(containers: TwoContainers) -> None:
    one, two = containers.make(), containers.make()
    containers.versioned_values.rivals = 2
    assert containers.here.revoke("a", one.token.id).revoked_at == containers.clock.now()
    containers.versioned_values.rivals = 5
    with pytest.raises(Conflict):
        containers.here.revoke("a", two.token.id)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("0", True),
        ("team-a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("-a", False),
        ("A", False),
        ("a_b", False),
        ("a/b", False),
        ("a#b", False),
        ("@access", False),
        ("ä", False),
        ("a\n", False),
    ],
)
def test_names_of_namespaces(containers: TwoContainers, name: str, good: bool) -> None:
    assert is_namespace(name) is good
    if not good:
        with pytest.raises(Invalid):
            containers.make(namespace=name)


def test_roles_grow_but_for_the_actions() -> None:
    reach = {role: {least for least in Role if role.covers(least)} for role in Role}
    assert reach[Role.VIEWER] == {Role.VIEWER}
    assert reach[Role.ACTION] == {Role.ACTION}
    assert reach[Role.CLERK] == {Role.CLERK}
    assert reach[Role.OPERATOR] == {Role.VIEWER, Role.CLERK, Role.ACTION, Role.OPERATOR}
    assert reach[Role.AUTHOR] == reach[Role.OPERATOR] | {Role.AUTHOR}
    assert reach[Role.ADMIN] == set(Role)


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_s_worth_may_come_at_once_and_then_one_in_each_interval() -> None:
    clock = FakeClock()
    rates = Rates(clock)
    for _ in range(4):
        rates.take({"a": 4})
    with pytest.raises(TooManyRequests) as refused:
        rates.take({"a": 4})
    assert refused.value.retry_after == 1
    clock.advance(249)
    with pytest.raises(TooManyRequests):
        rates.take({"a": 4})
    clock.advance(1)
    rates.take({"a": 4})
    with pytest.raises(TooManyRequests):
        rates.take({"a": 4})
    clock.advance(60_000)
    for _ in range(4):
        rates.take({"a": 4})
    with pytest.raises(TooManyRequests):
        rates.take({"a": 4})


def test_zero_is_no_rate_and_callers_do_not_hinder_one_another() -> None:
    rates = Rates(FakeClock())
    for _ in range(100):
        rates.take({"a": 0})
    rates.take({"a": 1})
    rates.take({"b": 1})


def test_a_request_that_one_rate_refuses_counts_for_none() -> None:
    clock = FakeClock()
    rates = Rates(clock)
    rates.take({"a": 1, "ns": 2})
    for _ in range(3):
        with pytest.raises(TooManyRequests, match="a sends"):
            rates.take({"a": 1, "ns": 2})
    rates.take({"b": 1, "ns": 2})
    with pytest.raises(TooManyRequests, match="ns sends"):
        rates.take({"c": 1, "ns": 2})
