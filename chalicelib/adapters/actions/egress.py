"""The egress policy: which addresses actions may have.

Authors of FSL name addresses, and Echoer sends requests to them from inside the operator's network. On AWS it permits
only public addresses and those that the operator lists. A host name proves nothing, since it can resolve to any
address, and to another one the next time. So the policy checks the address that a socket is about to connect to.

The ranges are those of IANA's special-purpose registries for IPv4 and IPv6, and the addresses from which clouds serve
credentials. Of IPv6 only 2000::/3 is in general use (RFC 4291, 2.4): addresses outside of it are refused.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from chalicelib.model.run_error import ErrorName
from chalicelib.service.ports.actions import Call, Caller, NotTaken, Reply

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_METADATA: Final = "an address that clouds serve credentials from"
_PRIVATE: Final = "a private address"
_LINK_LOCAL: Final = "a link-local address"
_LOOPBACK: Final = "an address of this machine"
_MULTICAST: Final = "a multicast address"
_RESERVED: Final = "a reserved address"

# The first range that contains an address gives the reason.
_SPECIAL: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(range_), reason)
    for range_, reason in (
        ("169.254.169.254/32", _METADATA),  # EC2, Google Cloud, Azure and others
        ("169.254.170.2/32", _METADATA),  # ECS tasks
        ("169.254.170.23/32", _METADATA),  # EKS pods
        ("168.63.129.16/32", _METADATA),  # Azure's host
        ("100.100.100.200/32", _METADATA),  # Alibaba Cloud
        ("192.0.0.192/32", _METADATA),  # Oracle Cloud
        ("0.0.0.0/8", _LOOPBACK),  # connecting to 0.0.0.0 reaches this machine
        ("127.0.0.0/8", _LOOPBACK),
        ("10.0.0.0/8", _PRIVATE),
        ("172.16.0.0/12", _PRIVATE),
        ("192.168.0.0/16", _PRIVATE),
        ("100.64.0.0/10", _PRIVATE),  # carriers', and pods' on EKS
        ("169.254.0.0/16", _LINK_LOCAL),
        ("224.0.0.0/4", _MULTICAST),
        ("192.0.0.0/24", _RESERVED),
        ("192.0.2.0/24", _RESERVED),  # documentation, as the next two of its kind
        ("192.88.99.0/24", _RESERVED),  # relays of 6to4
        ("198.18.0.0/15", _RESERVED),  # benchmarks
        ("198.51.100.0/24", _RESERVED),
        ("203.0.113.0/24", _RESERVED),
        ("240.0.0.0/4", _RESERVED),
        ("fd00:ec2::/32", _METADATA),  # EC2: credentials, DNS, time
        ("fd20:ce::254/128", _METADATA),  # Google Cloud
        ("::/128", _LOOPBACK),
        ("::1/128", _LOOPBACK),
        ("fc00::/7", _PRIVATE),
        ("fec0::/10", _PRIVATE),  # site-local, as it was
        ("64:ff9b:1::/48", _PRIVATE),  # private NAT64: the IPv4 address behind it is unknown
        ("fe80::/10", _LINK_LOCAL),
        ("ff00::/8", _MULTICAST),
        ("2001::/23", _RESERVED),  # protocols, Teredo's tunnels among them
        ("2001:db8::/32", _RESERVED),  # documentation
        ("3fff::/20", _RESERVED),  # documentation
    )
)

# IPv6 addresses that contain an IPv4 address, and the number of bits after it.
_EMBEDDING: Final[tuple[tuple[IPv6Network, int], ...]] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::/96"), 0),  # compatible, as it was
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)

_GLOBAL: Final = IPv6Network("2000::/3")
_OF_AWS: Final = r"(queue|[a-z0-9-]+\.queue|sqs(-fips)?\.[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
"""SQS itself: names that only AWS can resolve to other addresses."""
_HOST: Final = r"(?i:(?:[a-z]+://)?(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]+)?(?:/[!-~]*)?)"


class Forbidden(OSError):
    """The policy refused a connection; `strerror` has the address and the reason."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(errno.EACCES, f"{address}, {reason}")


class EgressPolicy:
    """Permits all addresses, or with `public` only public ones and those in `allow`: hosts, addresses, CIDR ranges.

    A listed host may resolve to any address. Raises ValueError for an entry of `allow` that is an invalid range.
    """

    def __init__(self, *, public: bool = False, allow: Iterable[str] = ()) -> None:
        self._public = public
        self._hosts: set[str] = set()
        self._ranges: list[Network] = []
        for entry in allow:
            if "/" in entry or _parsed(entry) is not None:
                self._ranges.append(ip_network(entry))
            else:
                self._hosts.add(_plain(entry))

    def refuses(self, address: str, host: str = "") -> str | None:
        """Return why a connection to this address, found under that host name, is refused; None permits it."""
        if not self._public or _plain(host) in self._hosts:
            return None
        parsed = _parsed(address)
        if parsed is None:
            return "not an internet address"
        forms = list(_forms(parsed))
        if any(form in range_ for form in forms for range_ in self._ranges):
            return None
        return next((reason for form in forms if (reason := _special(form))), None)

    def refuses_url(self, url: str) -> str | None:
        """Return why nothing can be sent to a URL, as far as that is certain before its host is resolved."""
        found = re.fullmatch(_HOST, url)
        host = _plain(found[1].strip("[]")) if found else ""
        if host == "localhost" or host.endswith(".localhost"):
            host = "127.0.0.1"
        reason = self.refuses(host) if _parsed(host) is not None else None
        return f"is {reason}: add it to ECHOER_OUTBOUND_ALLOW" if reason else None

    def refuses_name(self, host: str) -> str | None:
        """Return the same for a name that a library resolves by itself: a name that is not listed is refused."""
        if not self._public or _plain(host) in self._hosts or re.fullmatch(_OF_AWS, _plain(host)):
            return None
        if _parsed(host) is None:
            return "a name, and its addresses cannot be checked for this method"
        return self.refuses(host)


ANYWHERE: Final = EgressPolicy()


class GuardedCaller:
    """Checks calls for a caller that resolves host names by itself. Implements `ports.Caller`.

    Addresses without a host (the name of a queue, a function) are not checked, unless `always_hosts`: the credentials
    determine what they can reach.
    """

    def __init__(self, caller: Caller, egress: EgressPolicy, *, always_hosts: bool) -> None:
        self._caller, self._egress, self._always_hosts = caller, egress, always_hosts

    def post(self, call: Call) -> Reply:
        for address in call.addresses:
            if not self._always_hosts and "://" not in address:
                continue
            found = re.fullmatch(_HOST, address)
            host = found[1].strip("[]") if found else ""
            if reason := self._egress.refuses_name(host):
                text = f"{address}: {host or 'the host'} is {reason}; add it to ECHOER_OUTBOUND_ALLOW"
                return NotTaken.own(text, final=True, name=ErrorName.FORBIDDEN)
        return self._caller.post(call)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _parsed(address: str) -> Address | None:
    try:
        return ip_address(address.partition("%")[0])  # without its zone
    except ValueError:
        return None


def _forms(address: Address) -> Iterator[Address]:
    """Yield the address, and the IPv4 address in it, if there is one."""
    yield address
    if isinstance(address, IPv6Address):
        for range_, behind in _EMBEDDING:
            if address in range_:
                yield IPv4Address(int(address) >> behind & 0xFFFF_FFFF)


def _special(address: Address) -> str | None:
    reason = next((reason for range_, reason in _SPECIAL if address in range_), None)
    if reason or isinstance(address, IPv4Address) or address in _GLOBAL:
        return reason
    return None if any(address in range_ for range_, _ in _EMBEDDING) else _RESERVED
