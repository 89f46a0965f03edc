"""The cases, group by group. Importing this package registers all of them."""

from tests.conformance.cases import (
    bytes_and_schemas,
    delivery,
    evidence,
    files,
    handshake,
    hostile,
    poll,
    privacy,
    restart,
    states,
    versions,
)

__all__ = [
    "bytes_and_schemas",
    "delivery",
    "evidence",
    "files",
    "handshake",
    "hostile",
    "poll",
    "privacy",
    "restart",
    "states",
    "versions",
]
