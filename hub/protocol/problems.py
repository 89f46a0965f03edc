"""The codes two nodes use to say no, and the HTTP status each stands for.

Refusals at the door travel as RFC 9457 problem details; refusals of an authentic message
travel in-band as `message.rejected` or as a decline, and have no status.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        code: status
        for status, codes in (
            (400, "malformed digest_mismatch env_invalid data_hash_mismatch"),
            (401, "signature_invalid clock_skew key_unknown key_revoked"),
            (403, "link_suspended scope_denied"),
            (404, "not_found"),  # unknown link, hand-off or blob: the same on purpose
            (409, "fork_detected clone_detected epoch_stale agreement_mismatch invite_used"),
            (410, "link_closed blob_gone invite_expired"),
            (413, "too_large"),
            (415, "unsupported_media_type"),
            (422, "version_unsupported mac_invalid"),
            (429, "rate_limited quota_exceeded"),
            (503, "sync_required overloaded"),
        )
        for code in codes.split()
    }
)
"""Every code a door may answer with."""

REJECTS: Final = (
    "schema_invalid",
    "unsupported_type",
    "wrong_pen",
    "wrong_revision",
    "unknown_handoff",
    "duplicate_id",
    "scope_denied",
    "limit_exceeded",
    "blob_unavailable",
    "blob_mismatch",
    "erased",
)
"""Why an authentic message was not applied; told in-band by `message.rejected`."""

DECLINES: Final = (
    "loop_detected",
    "hop_limit",
    "out_of_scope",
    "capacity",
    "expired_offer",
    "duplicate_offer",
    "other",
)
"""Why an offer was not taken."""


def problem(code: str, title: str, detail: str = "", **extra: object) -> dict[str, Any]:
    """The members of a problem document (RFC 9457). `detail` must never echo foreign data.

    Raises `KeyError` for a code without a status: a door may only use codes of the table.
    """
    members: dict[str, Any] = {
        "type": f"urn:txp:problem:{code}",
        "title": title,
        "status": STATUS[code],
        "code": code,
    }
    if detail:
        members["detail"] = detail
    return members | extra
