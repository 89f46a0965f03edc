"""The reader's language: one context variable and gettext catalogues.

Message ids are English. Doors set the language once per request or command; whatever is
rendered inside it comes out in that language.
"""

from __future__ import annotations

import gettext as _gettext
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "ru")
_language: ContextVar[str] = ContextVar("language", default="en")
_LOCALE: Final = Path(__file__).parent / "locale"


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for this mark
    """Mark a message id that is translated later, where it is shown."""
    return message


@cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    """The compiled catalogue of an installation; in a checkout, the written one if it is newer."""
    written = _LOCALE / language / "LC_MESSAGES" / "hub.po"
    compiled = written.with_suffix(".mo")
    if written.exists() and (
        not compiled.exists() or compiled.stat().st_mtime < written.stat().st_mtime
    ):
        return _read(written)
    return _gettext.translation("hub", _LOCALE, languages=[language], fallback=True)


def _read(written: Path) -> _gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with written.open("rb") as source, io.BytesIO() as compiled:
        write_mo(compiled, read_po(source))
        compiled.seek(0)
        return _gettext.GNUTranslations(compiled)


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
