"""The reader's language: one context variable and gettext catalogues.

Message ids are English. Doors set the language once per request or command; whatever is
rendered inside it comes out in that language.
"""

from __future__ import annotations

import gettext as _gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "ru")
_language: ContextVar[str] = ContextVar("language", default="en")


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    return _gettext.translation(
        "hub", Path(__file__).parent / "locale", languages=[language], fallback=True
    )


def gettext(message: str) -> str:
    """The message in the reader's language; the message itself where no translation exists."""
    return _catalogue(_language.get()).gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The form of the message that fits `count` in the reader's language."""
    return _catalogue(_language.get()).ngettext(one, many, count)


def set_language(language: str) -> None:
    """Read in this language from here on (this task and those it starts)."""
    _language.set(language if language in LANGUAGES else "en")


def language() -> str:
    """The reader's language: one of LANGUAGES."""
    return _language.get()


@contextmanager
def reading_in(language: str) -> Iterator[None]:
    """Read in another language for a while."""
    token = _language.set(language if language in LANGUAGES else "en")
    try:
        yield
    finally:
        _language.reset(token)
