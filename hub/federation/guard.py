"""Where our requests may go: the answer to server-side request forgery.

Two looks. `Guard.reach` reads the address as text and says which connector it gets; `checked`
looks at the address a socket is about to connect to and is the one that decides, because names
lie, change between two look-ups and have spellings nobody has listed. Whatever we refuse, the
asker learns nothing but that we refuse.

The deny list is explicit: `ipaddress.is_global` lets NAT64, 6to4 and IPv4-compatible forms of
127.0.0.1 through on some versions. For IPv6 only today's global unicast space is open at all.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from yarl import URL

from hub.errors import Refused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]  # as getaddrinfo gives it

HTTPS_PORTS: Final = frozenset({443, 8443})

# An operator may open these one host and port at a time (a desk in the intranet).
_PRIVATE: Final = {
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
    "carrier-grade NAT": ("100.64.0.0/10",),  # RFC 6598
    "unique local": ("fc00::/7",),  # RFC 4193
}
# Nobody may open these: no desk and no peer lives there.
_NEVER: Final = {
    "metadata": (
        "169.254.169.254/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    ),
    "unspecified": ("0.0.0.0/8", "::/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "site-local": ("fec0::/10",),  # RFC 3879
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "reserved": ("240.0.0.0/4", "192.0.0.0/24", "2001::/23"),  # RFC 1112, 6890, 2928
    "benchmark": ("198.18.0.0/15", "2001:2::/48"),  # RFC 2544, 5180
    "documentation": (  # RFC 5737, 3849, 9637
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
        "3fff::/20",
    ),
    "AS112 or AMT": (  # RFC 7534, 7535, 7450
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.175.48.0/24",
        "2620:4f:8000::/48",
    ),
    "IPv4 inside": (  # mapped, compatible, translated, NAT64, 6to4, Teredo: RFC 4291 to 8215
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "192.88.99.0/24",
    ),
    "discard": ("100::/64",),  # RFC 6666
    "6bone": ("3ffe::/16",),  # RFC 3701
}


def _networks(named: dict[str, tuple[str, ...]]) -> tuple[tuple[IPNetwork, str], ...]:
    return tuple(
        (ipaddress.ip_network(text), name) for name, texts in named.items() for text in texts
    )


_PRIVATE_NETWORKS: Final = _networks(_PRIVATE)
_NEVER_NETWORKS: Final = _networks(_NEVER)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")  # all IANA has handed out so far

_WRITTEN: Final = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?", re.IGNORECASE)
_NAME_MAX_CHARS: Final = 253


class Reach(StrEnum):
    """How far a connection may go; every connector of the client has exactly one."""

    PUBLIC = "public"  # the internet, on the usual ports
    TRY_OUT = "try_out"  # this machine or the internet: our own node is on loopback too
    LOOPBACK = "loopback"  # this machine only: plain HTTP while trying out
    LISTED = "listed"  # a host and port the operator named, though private


def _forbidden(because: str) -> Refused:
    """The one refusal of this module; why is for nobody but our log."""
    return Refused("address_forbidden", "This address cannot be used", because=because)


def kind_of(address: IPAddress) -> str:
    """Which special range the address lies in; empty for one on the public internet."""
    for network, name in (*_NEVER_NETWORKS, *_PRIVATE_NETWORKS):
        # ::1 lies in the IPv4-compatible range by its number, but is loopback by its meaning.
        if address in network and not (name == "IPv4 inside" and int(address) == 1):
            return name
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return "not handed out"
    return ""


def check_address(info: AddressInfo, reach: Reach) -> None:
    """Let a socket address pass, or raise.

    Raises:
        Refused: `address_forbidden`.
    """
    family, _, _, _, where = info
    if family not in (socket.AF_INET, socket.AF_INET6):
        raise _forbidden("not an internet address")
    host, port = str(where[0]), int(where[1])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise _forbidden("not an IP address") from None
    kind = kind_of(address)
    if reach is Reach.LISTED:
        passes = kind == "" or kind in _PRIVATE
    elif kind == "loopback":
        passes = reach in (Reach.TRY_OUT, Reach.LOOPBACK)
    else:
        passes = kind == "" and reach is not Reach.LOOPBACK and port in HTTPS_PORTS
    if not passes:
        raise _forbidden(f"{address} port {port}: {kind or 'port'} ({reach})")


class ForbiddenSocket(OSError):  # noqa: N818 - named like our errors: what happened
    """Why a socket was not made.

    An OSError, since after one of those the connector goes on to the name's next address; it
    loses track of anything else.
    """

    def __init__(self, refusal: Refused) -> None:
        # The same words for every address, so that several of them are still this one error.
        super().__init__("address forbidden")
        self.refusal = refusal


def checked(reach: Reach) -> Callable[[AddressInfo], socket.socket]:
    """A socket factory that raises ForbiddenSocket where `check_address` refuses."""

    def make(info: AddressInfo) -> socket.socket:
        try:
            check_address(info, reach)
        except Refused as refusal:
            raise ForbiddenSocket(refusal) from refusal
        family, kind, protocol, _, _ = info
        return socket.socket(family, kind, protocol)

    return make


@dataclass(frozen=True, slots=True)
class Guard:
    """What this node may reach: the internet, plus what is listed, plus itself while trying out."""

    listed: frozenset[tuple[str, int]] = field(default_factory=frozenset)
    try_out: bool = False

    def reach(self, text: str) -> tuple[URL, Reach]:
        """The URL exactly as written, and how far a connection for it may go.

        Raises:
            Refused: `address_forbidden`.
        """
        url = _exact(text)
        host, port = url.raw_host or "", url.port or 0
        address = _literal(host)
        is_https = url.scheme == "https"
        if is_https and (host.lower(), port) in self.listed:
            reach = Reach.LISTED
        elif is_https:
            reach = Reach.TRY_OUT if self.try_out else Reach.PUBLIC
        elif self.try_out:
            reach = Reach.LOOPBACK
        else:
            raise _forbidden("plain http")
        if address is not None:
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            check_address((family, socket.SOCK_STREAM, 0, "", (host, port)), reach)
        elif reach is Reach.PUBLIC and port not in HTTPS_PORTS:
            raise _forbidden(f"port {port}")
        return url, reach


def _exact(text: str) -> URL:
    """The URL byte for byte, if two readings of it agree; the signature covers these bytes."""
    if not _WRITTEN.fullmatch(text) or "\\" in text or "#" in text:
        raise _forbidden("not a plain web address")
    try:
        exact, normal = URL(text, encoded=True), URL(text)
        same = (exact.raw_host or "").lower() == normal.raw_host and exact.port == normal.port
    except ValueError:
        raise _forbidden("not a web address") from None
    authority = re.split(r"[/?]", text.split("//", 1)[1], maxsplit=1)[0]
    brackets_are_ipv6 = ("[" in authority) == (":" in (exact.raw_host or ""))
    if not same or not brackets_are_ipv6 or "@" in authority or str(exact) != text:
        raise _forbidden("ambiguous address")
    return exact


def _literal(host: str) -> IPAddress | None:
    """The address a host is; None for a name. Raises Refused for what is neither."""
    if ":" in host:
        if "%" in host:
            raise _forbidden("scoped address")
        try:
            return ipaddress.IPv6Address(host)
        except ValueError:
            raise _forbidden("not an address") from None
    labels = host.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # 127.1, 0x7f000001, 2130706433, 0177.0.0.1: a resolver reads them as IPv4, so only the
        # one canonical spelling is an address, and none of the others is a name.
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            raise _forbidden("not an address") from None
    if len(host) > _NAME_MAX_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise _forbidden("not a host name")
    return None
