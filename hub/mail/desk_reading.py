"""What a letter of a customer's desk says, by the profile of that desk.

Patterns are others' work and may be built, or happen, to take for ever: all of a letter's run
within a bound of processor time. It is set by a signal, so this runs in the main thread of a
process of its own (`reading.py`).
"""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final
from zoneinfo import ZoneInfo

from lxml import html as markup
from lxml.etree import LxmlError

from hub.domain.desk_letter import DeskLetter
from hub.domain.letter import Letter
from hub.domain.ticket import Priority, TicketStatus
from hub.mail.headers import one_line
from hub.mail.parse import bare_subject
from hub.mail.profile import FLAGS, Place, Profile

PATTERNS_S: Final = 0.5  # of processor time for all patterns of one profile on one letter
LOOKED_AT: Final = 64 * 1024  # characters of a letter in which patterns are searched
VALUE_MAX: Final = 200  # characters of one value
ROWS_MAX: Final = 2000  # of tables and lines that are looked at
_LABELLED: Final = re.compile(r"[\s*•|>-]{0,10}([^\n:|]{1,80}?)[\s*]{0,5}[:|\t][\s*|]{0,5}([^\n]+)")
_LAID_OUT: Final = re.compile(r"\s*(\S.{0,80}?)(?:\s{2,}|\t)(\S.*)")


class TooSlow(Exception):  # noqa: N818 - what happened
    """The patterns ran out of their time."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what runs here take so much processor time. Raises TooSlow; main thread only."""

    def over(_signal: int, _frame: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def by_profile(profiles: Iterable[Profile], letter: Letter) -> DeskLetter | None:
    """What the letter says by the first profile that knows it; None: it is of no desk."""
    for profile in profiles:
        if not _sent_by(profile, letter):
            continue
        try:
            with within(PATTERNS_S):
                if _recognised(profile, letter):
                    return _read(profile, letter)
        except TooSlow:
            return DeskLetter(profile.name, profile.desk or profile.name, "", too_slow=True)
    return None


def _sent_by(profile: Profile, letter: Letter) -> bool:
    """Whether it may be of this desk: by its author alone, which no pattern makes slow."""
    author = letter.author.key if letter.author else ""
    return any(fnmatchcase(author, one.lower()) for one in profile.recognise.senders)


def _recognised(profile: Profile, letter: Letter) -> bool:
    wanted = profile.recognise
    if wanted.list_id is not None and not fnmatchcase(letter.list_id, wanted.list_id):
        return False
    if wanted.subject is not None and _found(wanted.subject, letter.subject) is None:
        return False
    lines = dict(reversed(letter.lines))
    return all(
        (value := lines.get(name.lower())) is not None and _found(pattern, value) is not None
        for name, pattern in wanted.headers.items()
    )


def _read(profile: Profile, letter: Letter) -> DeskLetter:
    values = found_in(profile, letter)
    words = profile.words
    priority = _word(words.priority, values.get("priority", ""))
    status = _word(words.status, values.get("status", ""))
    title = values.get("title") or bare_subject(letter.subject)
    places = {**dict.fromkeys(("site", "contact", "phone", "token", "number"), ""), **values}
    places["title"] = title
    return DeskLetter(
        profile=profile.name,
        desk=profile.desk or profile.name,
        number=places["number"],
        title=title,
        text=_said(profile, letter),
        site=places["site"],
        contact=places["contact"],
        phone=places["phone"],
        customer=profile.customer,
        priority=None if priority is None else Priority(priority),
        status=None if status is None else TicketStatus(status),
        due_at=_deadline(profile, values.get("deadline", "")),
        answer_subject=_filled(profile.answer.subject, places),
        answer_token=_filled(profile.answer.last_line, places) if places["token"] else "",
    )


def found_in(profile: Profile, letter: Letter) -> dict[str, str]:
    """Every value of the profile that is found in the letter, in one line each."""
    rows = _rows(letter)
    lines = dict(reversed(letter.lines))
    found = {}
    for name in type(profile.take).model_fields:
        for place in getattr(profile.take, name) or ():
            value = one_line(_at(place, letter, rows, lines))[:VALUE_MAX]
            if value:
                found[name] = value
                break
    return found


def _at(place: Place, letter: Letter, rows: Mapping[str, str], lines: Mapping[str, str]) -> str:
    if place.subject is not None:
        return _found(place.subject, letter.subject) or ""
    if place.body is not None:
        return _found(place.body, letter.text[:LOOKED_AT]) or ""
    if place.header is not None:
        value = lines.get(place.header.lower(), "")
    else:
        labels = place.row or ()
        value = next((rows[_label(one)] for one in labels if _label(one) in rows), "")
    return value if place.pattern is None else _found(place.pattern, value) or ""


def _found(pattern: str, text: str) -> str | None:
    """Group 1 of the first place where the pattern is found, or all of it; None: nowhere."""
    match = re.search(pattern, text, FLAGS)
    if match is None:
        return None
    return (match.group(1) if match.re.groups else match.group()) or ""


def _label(text: str) -> str:
    return " ".join(text.split()).rstrip(":").strip(" *").lower()


def _rows(letter: Letter) -> dict[str, str]:
    """What stands beside each label, in tables or else in lines; the first counts."""
    rows: dict[str, str] = {}
    for label, value in (*_of_tables(letter.html), *_of_lines(letter.text[:LOOKED_AT])):
        if (label := _label(label)) and value.strip() and len(rows) < ROWS_MAX:
            rows.setdefault(label, value.strip())
    return rows


def _of_tables(html: str) -> Iterator[tuple[str, str]]:
    if "<tr" not in html:
        return
    try:
        page = markup.fromstring(f"<div>{html}</div>")
    except (LxmlError, ValueError, AssertionError):
        return
    for number, row in enumerate(page.iter("tr")):
        if number >= ROWS_MAX:
            return
        cells = [one.text_content() for one in row if one.tag in {"td", "th"}]
        # Label and value, once or several times in one row.
        yield from zip(cells[::2], cells[1::2], strict=False)


def _of_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n")[:ROWS_MAX]:
        if len(line) <= VALUE_MAX * 4:
            match = _LABELLED.fullmatch(line) or _LAID_OUT.fullmatch(line)
            if match is not None:
                yield match.group(1), match.group(2)


def _said(profile: Profile, letter: Letter) -> str:
    """What a person says in it; the words of the whole letter where the profile does not tell."""
    begins, ends = profile.text.begins, profile.text.ends
    if begins is None and ends is None:
        return letter.words or letter.text
    text = letter.text
    if begins is not None:
        match = re.search(begins, text[:LOOKED_AT], FLAGS)
        if match is None:
            return ""
        text = text[match.end() :]
    if ends is not None and (match := re.search(ends, text[:LOOKED_AT], FLAGS)) is not None:
        text = text[: match.start()]
    return text.strip()


def _word(table: Mapping[str, str], word: str) -> str | None:
    known = {" ".join(one.lower().split()): meaning for one, meaning in table.items()}
    return known.get(" ".join(word.lower().split()))


def _deadline(profile: Profile, said: str) -> datetime | None:
    if not said:
        return None
    for one in profile.deadline.formats:
        with contextlib.suppress(ValueError):
            return _in_utc(datetime.strptime(said, one), profile)  # noqa: DTZ007 - the next line
    with contextlib.suppress(ValueError):
        return _in_utc(datetime.fromisoformat(said), profile)
    return None


def _in_utc(at: datetime, profile: Profile) -> datetime | None:
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(profile.deadline.time_zone))
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return None


def _filled(template: str, places: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: places[name.group(1)], template).strip()
