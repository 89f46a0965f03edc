"""Handing a ticket to a partner, and answering one: what leaves is shown before it does."""

from __future__ import annotations

from typing import Any, Final

from hub.actions import consents, handoffs, holding, ratings, requests
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.ticket import moment, ticket_id
from hub.domain.agreement import DisclosureClass
from hub.domain.disclosure import LABELS
from hub.domain.handoff import Act, DeclineCode, PendReason
from hub.domain.permission import Permission
from hub.errors import Conflict, HubError, Refused
from hub.i18n import gettext as _
from hub.ids import AttachmentId, HandoffId, LinkId
from hub.queries import held_offers, links, scorecards
from hub.queries import tickets as shown

ACTS: Final = {
    "accept": Act.ACCEPT,
    "decline": Act.DECLINE,
    "start": Act.START,
    "pend": Act.PEND,
    "resolve": Act.RESOLVE,
    "hand_back": Act.HAND_BACK,
    "confirm": Act.CONFIRM,
    "return": Act.RETURN,
    "close": Act.CLOSE,
    "grant_cancel": Act.CANCELLED,
}
"""Steps people make on the card, by the last word of the address."""


async def _sheet(visit: Visit) -> Answer:
    return await _sheet_with(visit)


async def _sheet_with(visit: Visit, error: HubError | None = None) -> Shown:
    name, now = visit.param("ticket"), visit.hub.now()

    def look(connection: Any) -> dict[str, Any]:
        ticket = shown.show(connection, name)
        partners = [one for one in links.everyone(connection, now) if one.state == "active"]
        records = {one.id: scorecards.of_link(connection, one.id, now) for one in partners}
        return {"ticket": ticket, "partners": partners, "records": records}

    facts = await visit.hub.db.read(look)
    said = visit.request.query if error is None else await visit.form()
    chosen = _last(said, "to") or (facts["partners"][0].id if len(facts["partners"]) == 1 else "")
    withheld = _classes(_all(said, "withhold"))
    picked = _picked(said)
    preview, why = None, error
    if chosen:
        try:
            preview = await handoffs.preview(
                visit.hub, facts["ticket"].id, LinkId(chosen), withheld, None, picked
            )
        except HubError as refused:
            why = why or refused
    above = [one.id for one in facts["ticket"].handoffs if one.role == "contractor"]
    facts |= {
        "preview": preview,
        "ask": above[0] if why is not None and why.code == "consent_missing" else None,
        "chosen": chosen,
        "error": why,
        "withheld": {str(one) for one in withheld},
        "picked": picked,
        "files": [
            one
            for one in facts["ticket"].attachments
            if one.comment is None and one.visibility == "public" and one.state == "available"
        ],
        "classes": [(str(one), label) for one, label in LABELS.items()],
    }
    if visit.is_partial:
        return Shown("parts/preview.html", facts)
    return Shown("handoff.html", facts, 200 if error is None else 422)


def _all(said: Any, name: str) -> list[str]:
    """Every word of this name, of the address or of the form."""
    return list(said.getall(name, [])) if hasattr(said, "getall") else list(said.get(name, ()))


def _last(said: Any, name: str) -> str:
    words = _all(said, name)
    return words[-1] if words else ""


def _picked(said: Any) -> frozenset[AttachmentId] | None:
    """The files that are to leave; None: nobody was asked, so all."""
    if not _last(said, "picking"):
        return None
    return frozenset(AttachmentId(one) for one in _all(said, "file"))


def _classes(words: list[str]) -> frozenset[DisclosureClass]:
    known = set(DisclosureClass)
    return frozenset(DisclosureClass(one) for one in words if one in known)


async def _offer(visit: Visit) -> Answer:
    which, to = await ticket_id(visit), await visit.word("to")
    if not to:
        raise Refused("partner_missing", "Choose a partner.")
    wish = OfferHandoff(
        which,
        LinkId(to),
        due=moment(visit, await visit.word("due")),
        withhold=_classes(await visit.words("withhold")),
        files=_picked(await visit.form()),
    )
    try:
        await holding.hold(visit.hub, visit.actor, wish)
    except (Refused, Conflict) as error:
        return await _sheet_with(visit, error)
    return Redirect(visit.context.renderer.url("ticket", ticket=visit.param("ticket")))


async def _send(visit: Visit) -> Answer:
    """No second thoughts: it leaves at once."""
    which = HandoffId(visit.param("handoff"))
    number = await visit.hub.db.read(lambda connection: held_offers.number_of(connection, which))
    if number is None:
        return await _to_ticket(visit, which, _("It has left."))
    await holding.send_now(visit.hub, visit.actor, which)
    return Redirect(visit.context.renderer.url("ticket", ticket=number), Toast(_("It has left.")))


async def _undo(visit: Visit) -> Answer:
    """Nothing leaves where it has not left yet; else the partner is asked to give it up."""
    which = HandoffId(visit.param("handoff"))
    number = await visit.hub.db.read(lambda connection: held_offers.number_of(connection, which))
    if number is not None and await holding.take_back(visit.hub, visit.actor, which):
        path = visit.context.renderer.url("ticket", ticket=number)
        return Redirect(path, Toast(_("Taken back; nothing has left.")))
    await handoffs.cancel(visit.hub, visit.actor, which, _("Handed off by mistake."))
    return await _to_ticket(visit, which, _("Taken back."))


async def _to_ticket(visit: Visit, which: HandoffId, text: str) -> Redirect:
    wanted = await visit.word("next")
    found = await visit.hub.db.read(
        lambda connection: shown.show(connection, shown.ticket_of(connection, which)).number
    )
    path = wanted or visit.context.renderer.url("ticket", ticket=found)
    return Redirect(path, Toast(text))


async def _act(visit: Visit) -> Answer:
    which, what = HandoffId(visit.param("handoff")), ACTS.get(visit.param("act"))
    if what is None:
        raise Refused("not_found", "There is nothing here.")
    await handoffs.act(visit.hub, visit.actor, which, what, await _said(visit))
    return await _to_ticket(visit, which, _("Done. The partner hears of it."))


async def _said(visit: Visit) -> Particulars:
    text, score, minutes = (
        await visit.word("text"),
        await visit.word("score"),
        await visit.word("minutes"),
    )
    text = text.replace("\r\n", "\n")
    code, reason = await visit.word("code"), await visit.word("reason")
    act = visit.param("act")
    pending = act == "pend" and reason in set(PendReason)
    return Particulars(
        reason=reason if pending else (text or None),
        code=code if code in set(DeclineCode) else None,
        text=text or None,
        due_promised=moment(visit, await visit.word("due_promised")),
        assignee=await visit.word("assignee") or None,
        until=moment(visit, await visit.word("until")),
        resolution=text or None,
        effort_minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 7 else None,
        score=int(score) if score in {"1", "2", "3", "4", "5"} else None,
    )


async def _cancel(visit: Visit) -> Answer:
    which = HandoffId(visit.param("handoff"))
    await handoffs.cancel(visit.hub, visit.actor, which, await visit.word("text"))
    return await _to_ticket(visit, which, _("The partner hears of it."))


async def _refuse_cancel(visit: Visit) -> Answer:
    which = HandoffId(visit.param("handoff"))
    await requests.refuse_cancel(visit.hub, visit.actor, which, await visit.word("text"))
    return await _to_ticket(visit, which, _("The partner hears of it."))


async def _ask_consent(visit: Visit) -> Answer:
    which = HandoffId(visit.param("handoff"))
    await consents.ask(visit.hub, visit.actor, which, await visit.word("text"))
    return await _to_ticket(visit, which, _("The partner is asked."))


async def _consent(visit: Visit) -> Answer:
    which = HandoffId(visit.param("handoff"))
    granted = await visit.word("granted") == "yes"
    text = await visit.word("text")
    await consents.answer(visit.hub, visit.actor, which, text, granted=granted)
    return await _to_ticket(visit, which, _("The partner hears of it."))


async def _rate(visit: Visit) -> Answer:
    which, score = HandoffId(visit.param("handoff")), await visit.word("score")
    if score not in {"1", "2", "3", "4", "5"}:
        raise Refused("score_invalid", "A grade is a number from 1 to 5.")
    text = await visit.word("text")
    await ratings.rate(visit.hub, visit.actor, which, int(score), text or None)
    return await _to_ticket(visit, which, _("Rated."))


_page: Final = page_for(Permission.HANDOFFS_WRITE)

PAGES: Final = (
    _page("handoff", "GET", "/tickets/{ticket}/handoff", _sheet),
    _page("offer", "POST", "/tickets/{ticket}/handoff", _offer),
    _page("send_handoff", "POST", "/handoffs/{handoff}/send", _send),
    _page("undo_handoff", "POST", "/handoffs/{handoff}/undo", _undo),
    _page("cancel_handoff", "POST", "/handoffs/{handoff}/cancel", _cancel),
    _page("refuse_cancel", "POST", "/handoffs/{handoff}/refuse-cancel", _refuse_cancel),
    _page("ask_consent", "POST", "/handoffs/{handoff}/ask-consent", _ask_consent),
    _page("consent", "POST", "/handoffs/{handoff}/consent", _consent),
    _page("rate_handoff", "POST", "/handoffs/{handoff}/rate", _rate),
    _page("act", "POST", "/handoffs/{handoff}/{act}", _act),
)
