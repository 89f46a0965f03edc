"""The one table that turns an error into what a program is told (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.errors import Conflict, HubError, Misconfigured, NotFound, Refused, Unavailable, Untrusted
from hub.i18n import gettext

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[Mapping[int, str]] = {
    400: "The request cannot be read.",
    401: "A valid token is needed.",
    403: "This is not allowed.",
    404: "There is no such thing.",
    405: "The address does not take this method.",
    409: "It does not fit the present state.",
    413: "The request is too large.",
    415: "The request has another media type than is taken here.",
    416: "The file has no such part.",
    422: "The request was refused.",
    429: "Too many requests.",
    500: "Something is wrong on our side.",
    503: "It may work later.",
}
"""Every status a problem can have, and its title (a message id)."""

_BY_CODE: Final[Mapping[str, int]] = {
    code: status
    for status, codes in (
        (400, "malformed"),
        (401, "token_missing token_invalid"),
        (403, "scope_missing not_yours principal_owns scope_denied not_your_team"),
        (405, "method_not_allowed"),
        (
            409,
            "wrong_pen link_not_active ticket_over redacted no_request warranty_over invite_used",
        ),
        (413, "too_large file_too_large"),
        (415, "unsupported_media_type"),
        (416, "range_not_satisfiable"),
        (429, "rate_limited quota_exceeded"),
    )
    for code in codes.split()
}
"""Codes that say more than the kind of their error."""


class Invalid(Refused):
    """The form of a request breaks its schema; `places` says where and why."""

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        super().__init__("invalid", "The request does not have the form that is taken here.")
        self.places = places


@dataclass(frozen=True, slots=True)
class Told:
    """A problem document, and what goes with it."""

    status: int
    members: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def status_of(error: HubError) -> int:
    """The HTTP status of this error."""
    if (status := _BY_CODE.get(error.code)) is not None:
        return status
    match error:
        case NotFound():
            return 404
        case Conflict():
            return 409
        case Refused() | Untrusted():
            return 422
        case Unavailable() | Misconfigured():
            return 503
    return 500


def problem_for(error: HubError) -> Told:
    """What the program is told of this error, in the reader's language."""
    status = status_of(error)
    members = _members(status, error.code, error.told)
    if error.hint:
        members["hint"] = error.hint
    if isinstance(error, Invalid):
        members["errors"] = [dict(place) for place in error.places]
    headers: dict[str, str] = {}
    if status == 401:
        # RFC 6750 §3.1: no error code for a request that did not try.
        how = "" if error.code == "token_missing" else ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="hub"{how}'
    elif error.code == "scope_missing":
        headers["www-authenticate"] = (
            f'Bearer realm="hub", error="insufficient_scope", scope="{error.facts["scope"]}"'
        )
    elif error.code == "method_not_allowed":
        headers["allow"] = str(error.facts["allowed"])
    elif error.code == "range_not_satisfiable":
        headers["content-range"] = f"bytes */{error.facts['size']}"
    if status in {429, 503}:
        after = getattr(error, "after", None)
        headers["retry-after"] = str(30 if after is None else max(1, int(after.total_seconds())))
    return Told(status, members, headers)


def bug(incident: str) -> Told:
    """What the program is told of a bug of ours: where to find it in our log, and no more."""
    detail = gettext("The incident has the number {incident}.").format(incident=incident)
    return Told(500, {**_members(500, "internal", detail), "incident": incident})


def _members(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:hub:problem:{code}",
        "title": gettext(TITLES[status]),
        "status": status,
        "code": code,
        "detail": detail,
    }
