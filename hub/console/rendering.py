"""Templates: everything is escaped, everything is said in the reader's language and zone.

Message ids in templates are written as in the rest of the program, `_("Hello {name}", name=x)`:
the text is escaped, and so is whatever fills its places.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hub import i18n
from hub.console import words
from hub.console.assets import Assets

TEMPLATES: Final = Path(__file__).parent / "templates"
_A_MINUTE: Final = timedelta(minutes=1)


def _say(message: str, **facts: Any) -> Markup:
    text = escape(i18n.gettext(message))
    return text.format(**facts) if facts else text


def _say_n(one: str, many: str, count: int, **facts: Any) -> Markup:
    return escape(i18n.ngettext(one, many, count)).format(count=count, **facts)


class Renderer:
    """The templates of the console, ready to be filled in."""

    def __init__(self, assets: Assets, paths: Mapping[str, str]) -> None:
        """`paths` are the paths of the pages, by name, with {places}."""
        self.assets = assets
        self._paths = paths
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self._environment.globals.update(
            {
                "_": _say,
                "ngettext": _say_n,
                "asset": assets.path,
                "icon": assets.icon,
                "url": self.url,
                "word": words.word,
                "look": words.look,
                "options": words.options,
                "languages": words.LANGUAGES,
            }
        )
        self._environment.filters.update(
            {"told": _told, "filesize": _filesize, "decimal": _decimal, "lasting": _lasting}
        )

    def url(self, page: str, **places: Any) -> str:
        """The path of this page; what is no part of the path goes behind the question mark."""
        path = self._paths[page]
        for name in [one for one in places if f"{{{one}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(places.pop(name)), safe=""))
        said = {name: value for name, value in places.items() if value not in {None, ""}}
        return f"{path}?{urlencode(said, doseq=True)}" if said else path

    def knows(self, page: str) -> bool:
        """Whether there is such a page."""
        return page in self._paths

    def render(self, template: str, facts: Mapping[str, Any], times: Times) -> str:
        """The page as text, in the language read here and now."""
        return self._environment.get_template(template).render(
            {**facts, "when": times.when, "ago": times.ago, "day": times.day, "now": times.now}
        )


class Times:
    """How instants are told to one reader."""

    def __init__(self, now: datetime, zone: tzinfo, language: str) -> None:
        self.now = now
        self._zone = zone
        self._language = language

    def when(self, at: datetime | None, *, full: bool = False) -> Markup:
        """`22 нояб., 09:05`, and the whole instant for machines and on hovering."""
        if at is None:
            return Markup("—")
        local = at.astimezone(self._zone)
        today = self.now.astimezone(self._zone)
        whole = format_datetime(local, "d MMMM y, HH:mm:ss zzzz", locale=self._language)
        if full:
            text = format_datetime(local, "d MMM y, HH:mm:ss", locale=self._language)
        elif local.date() == today.date():
            text = format_time(local, "HH:mm", locale=self._language)
        elif local.year == today.year:
            text = format_datetime(local, "d MMM, HH:mm", locale=self._language)
        else:
            text = format_datetime(local, "d MMM y", locale=self._language)
        return _time(at, whole, text)

    def ago(self, at: datetime | None) -> Markup:
        """`3 минуты назад`, `через 2 часа`."""
        if at is None:
            return Markup("—")
        apart = at - self.now
        text = i18n.gettext("just now")
        if abs(apart) >= _A_MINUTE:
            text = format_timedelta(
                apart, granularity="minute", add_direction=True, locale=self._language
            )
        local = at.astimezone(self._zone)
        whole = format_datetime(local, "d MMMM y, HH:mm:ss zzzz", locale=self._language)
        return _time(at, whole, text)

    def day(self, on: date | None) -> str:
        """A date without a time."""
        return "—" if on is None else format_date(on, "d MMM y", locale=self._language)


def _time(at: datetime, whole: str, text: str) -> Markup:
    machine = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, whole, text)


def _told(text: str, facts: Mapping[str, Any] | None = None) -> str:
    """A message id kept in the database, with its facts, in the reader's language."""
    try:
        return i18n.gettext(text).format(**(facts or {}))
    except (KeyError, IndexError, ValueError):
        return text  # of another version of this program


def _decimal(number: float) -> str:
    """One place behind the comma."""
    from babel.numbers import format_decimal

    return format_decimal(round(number, 1), locale=i18n.language())


def _lasting(time: timedelta) -> str:
    """`3 минуты`: how long something takes, to its largest unit."""
    return format_timedelta(max(time, _A_MINUTE), granularity="minute", locale=i18n.language())


def _filesize(size: int) -> str:
    from babel.numbers import format_decimal

    units = ("B", "KB", "MB", "GB")
    number, unit = float(size), 0
    while number >= 1024 and unit < len(units) - 1:
        number, unit = number / 1024, unit + 1
    shown = format_decimal(round(number, 1 if unit else 0), locale=i18n.language())
    return f"{shown} {i18n.gettext(units[unit])}"
