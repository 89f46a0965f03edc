"""Everything the hub tells people exists in Russian, with the same places to fill in."""

from __future__ import annotations

from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from hub.i18n import gettext, ngettext, reading_in
from tools.extract_messages import (
    extract,
    extract_description,
    extract_template,
    hard_coded,
    unreadable,
)

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "hub" / "locale" / "ru" / "LC_MESSAGES" / "hub.po"
SOURCES = sorted(
    path
    for folder in ("hub", "connectors")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
DESCRIPTIONS = sorted((ROOT / "connectors" / "desks").glob("*.yaml"))
TEMPLATES = sorted((ROOT / "hub").rglob("templates/**/*.html"))
ELSEWHERE = {"told", "what", "_TOLD[code]", "error._told", "_GONE", "_BAD_ADDRESS", "_WRONG",
             "step.need_told"}  # fmt: skip
"""Expressions whose texts are found where they are written."""


def written() -> dict[str, Message]:
    with CATALOGUE.open("rb") as source:
        messages = [one for one in read_po(source, abort_invalid=True) if one.id]
    return {one.id if isinstance(one.id, str) else one.id[0]: one for one in messages}


def used() -> dict[str, str]:
    """Message id (the singular, where there are two) → a file that uses it."""
    found = {}
    for path in SOURCES:
        with path.open("rb") as source:
            for _line, _function, said, _comments in extract(source, None, None, None):
                found[said if isinstance(said, str) else said[0]] = str(path.relative_to(ROOT))
    others = [(path, extract_template) for path in TEMPLATES]
    others += [(path, extract_description) for path in DESCRIPTIONS]
    for path, read in others:
        with path.open("rb") as source:
            for _line, _function, said, _comments in read(source, None, None, None):
                found[said if isinstance(said, str) else said[0]] = str(path.relative_to(ROOT))
    return found


def places(text: str) -> set[str]:
    return {
        f"{name}!{conversion}:{form}"
        for _text, name, form, conversion in Formatter().parse(text)
        if name is not None
    }


def test_every_message_is_translated_and_none_is_left_over() -> None:
    known, wanted = written(), used()
    missing = {said: where for said, where in wanted.items() if said not in known}
    assert not missing
    assert not known.keys() - wanted.keys()
    assert len(known) > 500


def test_no_translation_is_a_guess_or_empty() -> None:
    for one in written().values():
        assert not one.fuzzy, one.id
        texts = one.string if isinstance(one.string, tuple) else (one.string,)
        assert all(texts), one.id


def test_translations_have_the_same_places() -> None:
    for one in written().values():
        if isinstance(one.id, str):
            assert places(str(one.string)) == places(one.id), one.id
            continue
        allowed = set().union(*(places(text) for text in one.id))
        assert all(places(text) <= allowed for text in one.string), one.id


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_tells_a_text_that_can_be_found(path: Path) -> None:
    stray = [one for one in unreadable(path.read_text("utf-8")) if one[1] not in ELSEWHERE]
    assert not stray


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_says_anything_that_nobody_could_translate(path: Path) -> None:
    assert not hard_coded(path.read_text("utf-8"))


def test_a_word_that_stands_in_a_template_as_it_is_is_found() -> None:
    assert hard_coded("<p>\n{{ _('Hello') }} world</p>") == [(2, "world")]
    assert hard_coded('<a title="Close" href="/x">{{ x }}</a>') == [(1, "Close")]
    assert not hard_coded('<a class="btn" href="{{ url("x") }}">{{ _("Go") }}</a><kbd>Ctrl</kbd>')


def test_the_catalogue_is_read_in_a_checkout_too() -> None:
    with reading_in("ru"):
        assert gettext("There is no such ticket.") == "Такой заявки нет."
        assert ngettext("{value!r} is not {choice}.", "{value!r} is not one of {choices}.", 5) == (
            "{value!r} — не одно из {choices}."
        )
    with reading_in("en"):
        assert gettext("There is no such ticket.") == "There is no such ticket."
