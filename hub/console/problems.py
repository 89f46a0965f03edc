"""The one table that turns an error into what a person sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hub.console.door import Shown
from hub.errors import Conflict, HubError, Misconfigured, NotFound, Refused, Unavailable, Untrusted
from hub.i18n import N_

if TYPE_CHECKING:
    from hub.console.door import Visit

TITLES: Final[Mapping[int, str]] = {
    403: N_("This is not yours to do"),
    404: N_("There is nothing here"),
    405: N_("There is nothing here"),
    409: N_("It has changed meanwhile"),
    413: N_("This is too large"),
    415: N_("This does not work"),
    422: N_("This does not work"),
    429: N_("Too often"),
    500: N_("Something is wrong on our side"),
    503: N_("It may work later"),
}

_BY_CODE: Final[Mapping[str, int]] = {
    "not_yours": 403,
    "not_your_team": 403,
    "cross_site": 403,
    "method_not_allowed": 405,
    "too_large": 413,
    "file_too_large": 413,
    "rate_limited": 429,
    "unsupported_media_type": 415,
}


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


def shown(visit: Visit, error: HubError) -> Shown:
    """The page about this error; where a page asked for a piece of itself, a toast on it."""
    status = status_of(error)
    headers = {}
    if status in {429, 503}:
        after = getattr(error, "after", None)
        headers["Retry-After"] = str(30 if after is None else max(1, int(after.total_seconds())))
    if visit.is_partial:
        headers |= {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
        return Shown("parts/toast_bad.html", {"error": error}, status, headers)
    facts = {"title": TITLES[status], "error": error, "incident": None, "status": status}
    return Shown("error.html", facts, status, headers)


def bug(incident: str) -> Shown:
    """The page about a bug of ours: where to find it in our log, and no more."""
    facts = {"title": TITLES[500], "error": None, "incident": incident, "status": 500}
    return Shown("error.html", facts, 500)
