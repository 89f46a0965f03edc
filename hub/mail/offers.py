"""What a partner without a node reads: one letter for each thing that its node would be told.

A letter is made of the payload that was disclosed to the partner and of nothing else. What can be
done now stands below as links; each opens a page, and only sending that page does anything.
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from babel.dates import LOCALTZ, format_datetime

from hub.domain.amendment import Change
from hub.domain.mail_act import MailAct
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import term_words

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Button:
    """One link: what it says, and where it leads."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Worded:
    """A letter before it is put together."""

    paragraphs: Sequence[str]
    lines: Sequence[tuple[str, str]]  # what is what, as a table
    hint: str  # above the links: what they do
    buttons: Sequence[Button]
    footer: str


ACTS: Final[Mapping[MailAct, str]] = {
    MailAct.ACCEPT: N_("Accept"),
    MailAct.DECLINE: N_("Decline"),
    MailAct.ON_THE_WAY: N_("On the way"),
    MailAct.ON_SITE: N_("On site"),
    MailAct.DONE: N_("Done"),
    MailAct.ETA: N_("New time of arrival"),
    MailAct.HAND_BACK: N_("Give back"),
    MailAct.ERASED: N_("We have deleted it"),
    MailAct.AGREE: N_("Agree"),
    MailAct.REFUSE: N_("Refuse"),
}
"""What each link says; message ids."""

_PRIORITIES: Final = {
    "low": N_("low"),
    "normal": N_("normal"),
    "high": N_("high"),
    "urgent": N_("urgent"),
}
_REASONS: Final = {
    "wrong_pen": N_("the work stands elsewhere by now"),
    "limit_exceeded": N_("a limit of the agreement is reached"),
}


def worded(facts: Facts, language: str, base_url: str, tokens: Mapping[str, str]) -> Worded:
    """The letter for these facts, in the language that is being read.

    `tokens` are those of its links, by the id of each.
    """
    what, said = str(facts["what"]), facts["said"]
    say = _SAYS.get(what, _something)
    paragraphs, lines = say(facts, said, language)
    buttons = [
        Button(_(ACTS[MailAct(act)]), f"{base_url}/p/{tokens[act_id]}")
        for act, act_id in facts["acts"]
    ]
    of_terms = what in _OF_TERMS
    footer = _(_BELOW_TERMS if of_terms else _BELOW)
    return Worded(
        paragraphs=paragraphs,
        lines=[(label, text) for label, text in lines if text],
        hint=_(_CHOOSE_TERMS if of_terms else _CHOOSE) if buttons else "",
        buttons=buttons,
        footer=footer.format(number=facts.get("number", ""), company=facts["from"]),
    )


_OF_TERMS: Final = frozenset({"link.amend", "link.amend_withdrawn", "terms.answered"})
"""Letters about the agreement: they belong to no ticket, and an answer to them is a new one."""

_CHOOSE: Final = N_(
    "Choose below what you do. A page opens; nothing happens until you send it. You "
    "can also reply to this letter: your words become a comment everybody in this "
    "work sees."
)
_CHOOSE_TERMS: Final = N_(
    "Choose below. A page opens; nothing happens until you send it. Until you answer, everything "
    "goes on as agreed before."
)
_BELOW: Final = N_("Ticket {number} of {company}. Reply to this letter to answer.")
_BELOW_TERMS: Final = N_("Questions? Reply to this letter: it reaches the people of {company}.")


Said = tuple[list[str], list[tuple[str, str]]]


def _offer(facts: Facts, said: Facts, language: str) -> Said:
    begin = _("{company} hands you ticket {number} and asks for your answer.").format(
        company=facts["from"], number=facts["number"]
    )
    return [begin, str(said["title"]), str(said.get("description", ""))], [
        *_card(said, language),
        (_("Answer by"), _when(said.get("valid_until"), language)),
    ]


def _update(facts: Facts, said: Facts, language: str) -> Said:
    begin = _("{company} changed the ticket.").format(company=facts["from"])
    return [begin, str(said.get("title", "")), str(said.get("description", ""))], _card(
        said, language
    )


def _card(said: Facts, language: str) -> list[tuple[str, str]]:
    """What and where, by when, with what: only members that were disclosed."""
    priority = str(said.get("priority", ""))
    return [
        (_("Done by"), _when(said.get("due_requested"), language)),
        (_("Where"), _joined(said.get("site"), "parent", "name", "address", "note")),
        (_("Whom to ask"), _joined(said.get("contact"), "name", "phone", "email", "note")),
        (
            _("Equipment"),
            _joined(
                said.get("asset"), "name", "model", "inventory_number", "serial_number", "note"
            ),
        ),
        (_("Service"), str(said.get("service", ""))),
        (_("Priority"), _(_PRIORITIES[priority]) if priority in _PRIORITIES else priority),
        *((str(one["name"]), str(one["value"])) for one in said.get("fields", ())),
        (_("To do"), "\n".join(f"• {one['text']}" for one in said.get("checklist", ()))),
    ]


def _joined(part: object, *names: str) -> str:
    if not isinstance(part, Mapping):
        return ""
    return ", ".join(str(part[name]) for name in names if part.get(name))


def _when(text: object, language: str) -> str:
    if not text:
        return ""
    at = datetime.fromisoformat(str(text)).astimezone(LOCALTZ)
    return format_datetime(at, "d MMMM y, HH:mm (ZZZZ)", locale=language)


def _comment(_facts: Facts, said: Facts, _language: str) -> Said:
    author = said["author"]
    return [str(said["body"]), f"{author['display']}, {author['account']}"], []


def _edited(facts: Facts, said: Facts, _language: str) -> Said:
    return [
        _("{company} corrected what it wrote:").format(company=facts["from"]),
        str(said["body"]),
    ], []


def _sentence(text: str, *, reason: str = "") -> Callable[[Facts, Facts, str], Said]:
    """A letter that is one sentence, and why."""

    def say(facts: Facts, said: Facts, language: str) -> Said:
        due = _when(facts.get("due"), language)
        begin = _(text).format(company=facts["from"], number=facts.get("number", ""), due=due)
        return [begin, str(said.get(reason, "")) if reason else ""], []

    return say


def _confirm(facts: Facts, said: Facts, language: str) -> Said:
    begin = _("{company} accepted your work on ticket {number}. Thank you.").format(
        company=facts["from"], number=facts["number"]
    )
    rating = said.get("rating")
    return [begin, *(_rated(facts, rating, language)[0] if rating else ())], []


def _rated(facts: Facts, said: Facts, _language: str) -> Said:
    begin = _("{company} rates it {score} of 5.").format(company=facts["from"], score=said["score"])
    return [begin, str(said.get("text") or "")], []


def _refused(_facts: Facts, said: Facts, _language: str) -> Said:
    code = str(said["code"])
    why = _(_REASONS[code]) if code in _REASONS else str(said.get("detail") or code)
    begin = _("What you said last could not be taken: {why}.").format(why=why)
    return [begin, _("Please look at the ticket as it stands now and say it once more.")], []


_DONE: Final[Mapping[MailAct, str]] = {
    MailAct.ACCEPT: N_("You took on ticket {number}."),
    MailAct.DECLINE: N_("You declined ticket {number}."),
    MailAct.ON_THE_WAY: N_("Ticket {number}: you are on the way."),
    MailAct.ON_SITE: N_("Ticket {number}: you are on site."),
    MailAct.DONE: N_("Ticket {number}: the work is done."),
    MailAct.ETA: N_("Ticket {number}: your new time of arrival is noted."),
    MailAct.HAND_BACK: N_("You gave ticket {number} back."),
    MailAct.ERASED: N_("You deleted what you had of ticket {number}."),
}
"""What the partner did by a page, as it is confirmed; message ids."""


def _noted(facts: Facts, said: Facts, _language: str) -> Said:
    begin = _(_DONE[MailAct(said["act"])]).format(number=facts["number"])
    return [begin, str(said["text"])], []


def _proposed(facts: Facts, said: Facts, _language: str) -> Said:
    begin = _("{company} would like to change the terms on which you work together.").format(
        company=facts["from"]
    )
    found = term_words.to_the_invited(
        str(facts["from"]), [Change(**one) for one in said["changes"]]
    )
    told = _("was: {before}; would be: {after}")
    return [begin], [
        (f"{one.term} ({one.direction})", told.format(before=one.before, after=one.after))
        for one in found
    ]


def _answered(facts: Facts, said: Facts, _language: str) -> Said:
    if said["act"] == MailAct.AGREE:
        begin = _("You agreed: the new terms of {company} hold from now on.")
    else:
        begin = _("You did not agree: what you agreed with {company} before goes on.")
    return [begin.format(company=facts["from"]), str(said["text"])], []


def _moved(facts: Facts, said: Facts, _language: str) -> Said:
    return [
        _(
            "From now on you work on ticket {number} in your own hub: {url}. Everything said and "
            "sent here is there. This thread of letters ends; replies to it reach nobody's ticket."
        ).format(number=facts["number"], url=said["url"])
    ], []


def _something(facts: Facts, _said: Facts, _language: str) -> Said:
    return [_("{company} changed the ticket.").format(company=facts["from"])], []


_SAYS: Final[Mapping[str, Callable[[Facts, Facts, str], Said]]] = {
    "handoff.offer": _offer,
    "handoff.update": _update,
    "handoff.return": _sentence(
        N_("{company} sends the work on ticket {number} back to you."), reason="reason"
    ),
    "handoff.confirm": _confirm,
    "handoff.close": _sentence(N_("Ticket {number} is closed.")),
    "handoff.cancel": _sentence(N_("{company} called ticket {number} off."), reason="reason"),
    "handoff.cancel_request": _sentence(
        N_("{company} takes ticket {number} back. Please stop working on it."), reason="reason"
    ),
    "comment.add": _comment,
    "comment.edit": _edited,
    "comment.redact": _sentence(N_("{company} takes back something it wrote.")),
    "file.add": _sentence(N_("{company} sends files for ticket {number}.")),
    "file.redact": _sentence(N_("{company} takes back a file it sent. Please delete it.")),
    "rating.set": _rated,
    "data.erase": _sentence(
        N_(
            "{company} asks you to delete what you have of ticket {number}: letters, files and "
            "notes with personal data. Say so below once it is done."
        ),
        reason="reason",
    ),
    "message.rejected": _refused,
    "link.suspend": _sentence(
        N_("{company} pauses the exchange with you. Nothing can be said until it goes on."),
        reason="reason",
    ),
    "link.resume": _sentence(N_("The exchange with {company} goes on.")),
    "link.close": _sentence(N_("{company} ends the exchange with you."), reason="reason"),
    "link.amend": _proposed,
    "link.amend_withdrawn": _sentence(
        N_("{company} takes its proposal of other terms back. What was agreed goes on.")
    ),
    "terms.answered": _answered,
    "moved": _moved,
    "noted": _noted,
    "reminder.answer": _sentence(N_("{company} still waits for your answer to ticket {number}.")),
    "reminder.due": _sentence(N_("Ticket {number} is to be done by {due}.")),
    "reminder.overdue": _sentence(N_("Ticket {number} was to be done by {due}.")),
    "reminder.expired": _sentence(
        N_("Nobody answered in time: the offer of ticket {number} has run out.")
    ),
}


def plain(worded_: Worded, marker: str) -> str:
    """The letter as plain text."""
    parts = [one for one in (marker, *worded_.paragraphs) if one]
    if worded_.lines:
        parts.append("\n".join(f"{label}: {text}" for label, text in worded_.lines))
    if worded_.buttons:
        parts.append(worded_.hint)
        parts.append("\n".join(f"{one.text}: {one.url}" for one in worded_.buttons))
    return "\n\n".join([*parts, f"-- \n{worded_.footer}"]) + "\n"


def page(worded_: Worded, marker: str, language: str) -> str:
    """The letter as a page: everything escaped, nothing fetched."""

    def shown(text: str) -> str:
        return markup.escape(text).replace("\n", "<br>\n")

    above = f'<div style="color:#667">{shown(marker)}</div>\n' if marker else ""
    body = "\n".join(f"<p>{shown(one)}</p>" for one in worded_.paragraphs if one)
    if worded_.lines:
        rows = "\n".join(
            f'<tr><td style="color:#667;vertical-align:top;padding-right:1em">{shown(label)}</td>'
            f"<td>{shown(text)}</td></tr>"
            for label, text in worded_.lines
        )
        body += f"\n<table>\n{rows}\n</table>"
    if worded_.buttons:
        links = " ".join(
            f'<a href="{markup.escape(one.url)}" style="display:inline-block;margin:0 .5em .5em 0;'
            f'padding:.7em 1em;border:1px solid #2563eb;border-radius:6px">{shown(one.text)}</a>'
            for one in worded_.buttons
        )
        body += f"\n<p>{shown(worded_.hint)}</p>\n<p>{links}</p>"
    return (
        f'<!DOCTYPE html>\n<html lang="{markup.escape(language)}">'
        '<head><meta charset="utf-8"></head>'
        f"<body>\n{above}{body}\n"
        f'<div style="color:#667">{shown(worded_.footer)}</div>\n</body></html>\n'
    )
