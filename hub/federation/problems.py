"""The one table that turns an error into what a peer is told (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.errors import HubError, Misconfigured, NotFound, Unavailable, Untrusted
from hub.protocol.encoding import instant
from hub.protocol.problems import STATUS, problem


@dataclass(frozen=True, slots=True)
class Told:
    """A problem document, and what goes with it."""

    status: int
    members: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def problem_for(error: HubError, now: datetime) -> Told:
    """What the peer is told of this error. A code it does not know becomes the nearest one."""
    code = error.code
    if code not in STATUS:
        code = _nearest(error)
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if code == "clock_skew":
        extra["time"] = instant(now)  # so that the other side can see whose clock is wrong
    if isinstance(error, Unavailable):
        # Rounded up: who comes back a moment too early is refused once more.
        after = 30 if error.after is None else max(1, math.ceil(error.after.total_seconds()))
        headers["retry-after"] = str(after)
    members = problem(code, error.told, **extra)
    return Told(STATUS[code], members, headers)


def _nearest(error: HubError) -> str:
    if isinstance(error, NotFound):
        return "not_found"
    if isinstance(error, Untrusted):
        return "malformed"
    if isinstance(error, Unavailable | Misconfigured):
        return "overloaded"
    return "scope_denied"
