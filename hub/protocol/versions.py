"""Versions of the protocol: one is chosen when a link is made and pinned in the agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.errors import Refused

VERSION: Final = "1.0"
SUPPORTED: Final = (VERSION,)


def choose(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """The highest version both sides know. Raises `Refused(version_unsupported)`."""
    common = [(_order(version), version) for version in set(ours) & set(theirs) if _order(version)]
    if not common:
        raise Refused(
            "version_unsupported",
            "The two hubs have no protocol version in common.",
            hint="This hub speaks {ours}. Update the older of the two.",
            ours=", ".join(ours),
            because=", ".join(version[:20] for version in theirs[:10]),
        )
    return max(common)[1]


def _order(version: str) -> tuple[int, ...]:
    """A sortable form; empty for what is not `major.minor`."""
    parts = version.split(".")
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts):
        return ()
    return tuple(int(part) for part in parts)
