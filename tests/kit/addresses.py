"""Addresses that are not for us, and a resolver that answers with whatever a test wants."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

# Addresses as a resolver would answer with them.
ADDRESSES = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.254"],
    "unique local": ["fc00::1", "fd12:3456:789a::1"],
    "metadata": [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    ],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "link-local": ["169.254.0.1", "fe80::1", "febf::1"],
    "site-local": ["fec0::1", "feff::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "2001:1ff::1", "2001:20::1"],
    "benchmark": ["198.18.0.1", "198.19.255.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "AS112 or AMT": ["192.31.196.1", "192.52.193.1", "192.175.48.1", "2620:4f:8000::1"],
    "IPv4 inside": [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "192.88.99.1",
    ],
    "discard": ["100::1"],
    "6bone": ["3ffe::1"],
    "not handed out": ["4000::1", "5f00::1", "8000::1", "1::1"],
}
EVERY_ADDRESS = [(address, kind) for kind, many in ADDRESSES.items() for address in many]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "77.88.8.8",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "100.128.0.1",
]
PUBLIC += ["2a02:6b8::feed:ff", "2001:4860:4860::8888", "2606:4700::1111", "2003::1"]


class ScriptedResolver(AbstractResolver):
    """Answers with one list of addresses after another; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not answer:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


def in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
