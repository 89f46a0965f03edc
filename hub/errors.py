"""The kinds of failure, sorted by what must happen next.

Every error carries a stable `code`, a text for anyone (`told`) and one for our own log
(`because`). A door has one table that turns a kind into its own answer (HTTP status, exit
code); nobody else decides that.

`told` is kept untranslated, with its `facts` beside it, so that the same error is read in
Russian by one person and in English by another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from hub.i18n import gettext


class HubError(Exception):
    """Anything the hub can explain. Whatever is not a HubError is a bug."""

    def __init__(
        self,
        code: str,
        told: str,
        *,
        hint: str = "",
        because: str = "",
        **facts: Any,
    ) -> None:
        """`told` and `hint` are message ids with `{name}` places filled from `facts`."""
        super().__init__(code, told)
        self.code = code
        self._told = told
        self._hint = hint
        self.because = because
        self.facts: Mapping[str, Any] = facts

    @property
    def message_id(self) -> str:
        """`told` as it is kept: untranslated, with its places."""
        return self._told

    @property
    def told(self) -> str:
        """What happened and why, in the reader's language; safe for anyone."""
        return gettext(self._told).format(**self.facts)

    @property
    def hint(self) -> str:
        """What the reader can do next, in the reader's language; may be empty."""
        return gettext(self._hint).format(**self.facts) if self._hint else ""

    def under(self, code: str) -> Self:
        """The same words under another code: another party has its own list of codes."""
        return type(self)(
            code, self._told, hint=self._hint, because=self.because, **dict(self.facts)
        )

    def __str__(self) -> str:
        text = f"{self.code}: {self._told.format(**self.facts)}"
        return f"{text} ({self.because})" if self.because else text


class Refused(HubError):  # noqa: N818 - names say what happened, like the others
    """A rule says no. Tell the asker; the same request will be refused again."""


class NotFound(Refused):
    """There is no such thing, or it is not the asker's to see: the two look the same on purpose."""


class Conflict(Refused):
    """The thing changed meanwhile, or the name fits several things."""


class Untrusted(HubError):  # noqa: N818
    """We cannot believe it. Tell little, count it."""


class Unavailable(HubError):  # noqa: N818
    """It may work later: try again, not before `after` where that is known."""

    def __init__(
        self,
        code: str,
        told: str,
        *,
        after: timedelta | None = None,
        hint: str = "",
        because: str = "",
        **facts: Any,
    ) -> None:
        super().__init__(code, told, hint=hint, because=because, **facts)
        self.after = after


class Misconfigured(HubError):  # noqa: N818
    """The operator must act before this can work."""
