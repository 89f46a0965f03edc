"""The one table that turns a kind of error into an exit code and words on the terminal."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Final

from hub.cli.grammar import Manner
from hub.errors import (
    Conflict,
    HubError,
    Misconfigured,
    NotFound,
    Refused,
    Unavailable,
    Untrusted,
)
from hub.i18n import N_
from hub.i18n import gettext as _

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CONFIG: Final = 3
REFUSED: Final = 4
NOT_FOUND: Final = 5
UNREACHABLE: Final = 6  # it will be, or can be, tried again
CONFLICT: Final = 7
INTERRUPTED: Final = 130

KINDS: Final = (
    (Misconfigured, CONFIG, N_("The node is not set up right")),
    (NotFound, NOT_FOUND, N_("Not found")),
    (Conflict, CONFLICT, N_("Conflict")),
    (Refused, REFUSED, N_("Refused")),
    (Untrusted, REFUSED, N_("Not trusted")),
    (Unavailable, UNREACHABLE, N_("Not available now")),
    (HubError, FAILED, N_("Failed")),
)
"""Kind of error, exit code, title. The first that fits, so the narrower stand first."""

_OUR_OWN: Final = frozenset(
    {"database_unavailable", "outcome_unknown", "storage_unavailable", "stopping"}
)
"""Unavailable is this very machine, not a peer."""


class BadWords(HubError):  # noqa: N818 - names say what happened, like the others
    """The command line lacks something the verb needs, or says what cannot be read."""


def exit_code(error: HubError) -> int:
    """What the process says of this error to its caller."""
    if isinstance(error, BadWords):
        return USAGE
    if error.code in _OUR_OWN:
        return FAILED
    return next(code for kind, code, _title in KINDS if isinstance(error, kind))


def document(error: HubError, manner: Manner) -> dict[str, str]:
    """The error in the shape the API has, without what only HTTP knows."""
    found = {"code": error.code, "title": title(error), "detail": error.told}
    if hint := runnable(error.hint, manner):
        found["hint"] = hint
    return found


def title(error: HubError) -> str:
    """The kind of the error in two words."""
    if isinstance(error, BadWords):
        return _("Wrong usage")
    return _(next(title for kind, _code, title in KINDS if isinstance(error, kind)))


def runnable(hint: str, manner: Manner) -> str:
    """A hint that is a command, with the data directory of this call: it can be pasted."""
    if not hint.startswith("hub ") or manner.data is None:
        return hint
    from shlex import quote

    return f"{hint} --data {quote(str(manner.data))}"


def keep_incident(manner: Manner, error: BaseException) -> tuple[str, Path | None]:
    """Write a bug's traceback where only the operator reads it: its id, and the file."""
    from hub.logs import redact

    incident = os.urandom(5).hex()
    text = "".join(traceback.format_exception(error))
    clean = str(redact(None, "", {"text": text})["text"])
    for folder in _folders(manner):
        path = folder / f"incident-{incident}.txt"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(clean)
        except OSError:
            continue
        return incident, path
    return incident, None


def _folders(manner: Manner) -> list[Path]:
    import tempfile

    given = manner.data or (Path(os.environ["HUB_DATA"]) if os.environ.get("HUB_DATA") else None)
    here = [] if given is None else [given.expanduser().absolute() / "log"]
    return [*here, Path(tempfile.gettempdir())]
