"""Partners: who they are, how delivery goes, what was agreed; how a link begins and ends."""

from __future__ import annotations

from typing import Final

import segno
from markupsafe import Markup

from hub.actions import amendments, invitations, links, mail_links, promotion
from hub.actions.invitations import Invited
from hub.console import terms
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.words import LANGUAGES
from hub.domain.permission import Permission
from hub.errors import Conflict, HubError, Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import LinkId
from hub.queries import amendments as amendment_views
from hub.queries import deliveries
from hub.queries import links as views
from hub.queries.links import LinkView

_STEPS: Final = {
    "reached": N_("The partner's node answers"),
    "identity": N_("Its key is the one of the code"),
    "clock": N_("Clock and protocol version fit"),
    "agreement": N_("The agreement is what both offers make"),
}
"""What is checked before anybody signs, in this order; the fifth step is the signature."""

_BEGINNING: Final = frozenset({"requested", "awaiting_confirmation"})


async def _list(visit: Visit) -> Answer:
    now = visit.hub.now()
    found = await visit.hub.db.read(lambda connection: views.everyone(connection, now))
    facts = {
        "partners": [one for one in found if one.state not in {"closed", "void"}],
        "over": [one for one in found if one.state in {"closed", "void"}],
        "invited": await visit.hub.db.read(views.invited),
        "alerts": await visit.hub.db.read(deliveries.alerts),
    }
    return Shown("partners.html", facts)


async def _ask_invite(visit: Visit) -> Answer:
    return _inviting(visit)


def _inviting(visit: Visit, error: HubError | None = None, **typed: str) -> Shown:
    facts = {
        "name": "",
        "address": "",
        "called": "",
        "language_chosen": visit.hub.account.language,
        "languages": LANGUAGES,
        "error": error,
        **typed,
    }
    return Shown("invite.html", facts, 200 if error is None else 422)


async def _invite_by_mail(visit: Visit) -> Answer:
    address, called = await visit.word("address"), await visit.word("called")
    language = await visit.word("language")
    try:
        link = await mail_links.invite(
            visit.hub, visit.actor, address, name=called, language=language
        )
    except (Refused, Conflict) as error:
        if error.code == "not_yours":
            raise
        return _inviting(visit, error, address=address, called=called, language_chosen=language)
    said = _("{peer} works by mail from now on.").format(peer=link.peer_name)
    return Redirect(visit.context.renderer.url("partner", link=link.id), Toast(said))


async def _promote(visit: Visit) -> Answer:
    view = await _view(visit)
    made = await promotion.invite(visit.hub, visit.actor, LinkId(view.id))
    return _invited(visit, made, view.peer.name)


async def _invite(visit: Visit) -> Answer:
    name = await visit.word("name")
    try:
        if not name:
            raise Refused("name_invalid", "The name is empty, too long or cannot be printed.")
        compare = await visit.word("compare") == "on"
        made = await invitations.invite(visit.hub, visit.actor, name, compare=compare)
    except Refused as error:
        if error.code == "not_yours":
            raise
        return _inviting(visit, error, name=name)
    return _invited(visit, made, name)


def _invited(visit: Visit, made: Invited, name: str) -> Shown:
    """The code, shown this once."""
    drawn = segno.make(made.url, error="m", micro=False).svg_inline(
        border=2, omitsize=True, svgclass="qr", lineclass=None
    )
    facts = {
        "made": made,
        "name": name,
        "qr": Markup(drawn),  # noqa: S704 - squares that the library draws; no text is in it
        "key": invitations.fingerprint(visit.hub.account.node_id),
    }
    return Shown("invited.html", facts)


async def _ask_accept(visit: Visit) -> Answer:
    return Shown("accept.html", {"error": None, "code": "", "steps": None})


async def _accept(visit: Visit) -> Answer:
    """Ask the partner's node what we would sign; nothing is signed before people have looked."""
    code = await visit.word("code")
    done: list[str] = []
    try:
        link_id = await visit.context.accept_invitation(visit.actor, code, done.append)
    except HubError as error:
        if error.code == "not_yours":
            raise
        steps = [
            (text, "ok" if name in done else "failed" if at == len(done) else "waits")
            for at, (name, text) in enumerate(_STEPS.items())
        ]
        return Shown("accept.html", {"error": error, "code": code, "steps": steps}, 422)
    return Redirect(visit.context.renderer.url("partner", link=link_id))


async def _view(visit: Visit) -> LinkView:
    name, now = visit.param("link"), visit.hub.now()
    return await visit.hub.db.read(lambda connection: views.show(connection, name, now))


async def _show(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: HubError | None = None) -> Shown:
    view = await _view(visit)
    if view.state in _BEGINNING:
        return await _looked_at(visit, view, error)
    agreed = await visit.hub.db.read(lambda connection: amendment_views.show(connection, view.id))
    everything = await visit.hub.db.read(deliveries.alerts)
    facts = {
        "partner": view,
        "key": invitations.fingerprint(view.peer.node_id),
        "sides": terms.sides(view),
        "agreed": agreed,
        "changes": [] if agreed.open is None else terms.changes(view.peer.name, agreed.open),
        "history": [
            (one, terms.changes(view.peer.name, one)) for one in reversed(agreed.proposals)
        ],
        "alerts": [one for one in everything if one.subject == view.id],
        "error": error,
    }
    return Shown("partner.html", facts, 200 if error is None else 422)


async def _looked_at(visit: Visit, view: LinkView, error: HubError | None) -> Shown:
    facts = {
        "partner": view,
        "key": invitations.fingerprint(view.peer.node_id),
        "ours": invitations.fingerprint(visit.hub.account.node_id),
        "sides": terms.sides(view),
        "steps": [(text, "ok") for text in _STEPS.values()],
        "signed": view.state == "awaiting_confirmation" and view.agreement_hash is not None,
        "error": error,
    }
    return Shown("signing.html", facts, 200 if error is None else 422)


async def _confirm(visit: Visit) -> Answer:
    view = await _view(visit)
    await visit.context.confirm_link(visit.actor, LinkId(view.id))
    after = await _view(visit)
    if after.state == "active":
        said = _("The link with {peer} is active.").format(peer=view.peer.name)
    else:
        said = _("Signed by us. {peer} compares the digits and signs too.").format(
            peer=view.peer.name
        )
    return Redirect(visit.context.renderer.url("partner", link=view.id), Toast(said))


async def _suspend(visit: Visit) -> Answer:
    view = await _view(visit)
    await links.suspend(visit.hub, visit.actor, LinkId(view.id), await visit.word("reason"))
    undo = visit.context.renderer.url("resume_link", link=view.id)
    said = _("The link with {peer} is suspended.").format(peer=view.peer.name)
    return Redirect(visit.context.renderer.url("partner", link=view.id), Toast(said, undo))


async def _resume(visit: Visit) -> Answer:
    view = await _view(visit)
    await links.resume(visit.hub, visit.actor, LinkId(view.id))
    return _back(visit, view, _("We exchange with {peer} again.").format(peer=view.peer.name))


async def _close(visit: Visit) -> Answer:
    """End the relation: there is no way back, so the partner's name is typed first."""
    view = await _view(visit)
    if (await visit.word("name")).casefold() != view.peer.name.casefold():
        wrong = Refused("name_differs", "Type the partner's name as it is written here.")
        return await _one(visit, wrong)
    reason = await visit.word("reason")
    if view.state in _BEGINNING:
        await invitations.void(visit.hub, visit.actor, LinkId(view.id), reason)
    else:
        await links.close(visit.hub, visit.actor, LinkId(view.id), reason)
    said = _("The link with {peer} is closed.").format(peer=view.peer.name)
    return Redirect(visit.context.renderer.url("partners"), Toast(said))


async def _agree(visit: Visit) -> Answer:
    view = await _view(visit)
    await amendments.accept(visit.hub, visit.actor, LinkId(view.id))
    return _back(visit, view, _("Agreed: the new revision is in force with our next message."))


async def _refuse(visit: Visit) -> Answer:
    view = await _view(visit)
    reason = await visit.word("reason")
    await amendments.refuse(visit.hub, visit.actor, LinkId(view.id), reason)
    return _back(visit, view, _("Refused: everything stays as it was."))


async def _withdraw(visit: Visit) -> Answer:
    view = await _view(visit)
    await amendments.withdraw(visit.hub, visit.actor, LinkId(view.id))
    return _back(visit, view, _("Our proposal is taken back."))


def _back(visit: Visit, view: LinkView, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("partner", link=view.id), Toast(text))


_seen: Final = page_for(Permission.LINKS_READ)
_changed: Final = page_for(Permission.LINKS_WRITE)

PAGES: Final = (
    _seen("partners", "GET", "/partners", _list),
    _changed("invite", "GET", "/partners/invite", _ask_invite),
    _changed("inviting", "POST", "/partners/invite", _invite),
    _changed("inviting_by_mail", "POST", "/partners/invite/by-mail", _invite_by_mail),
    _changed("promote_link", "POST", "/partners/{link}/promotion", _promote),
    _changed("accept", "GET", "/partners/accept", _ask_accept),
    _changed("accepting", "POST", "/partners/accept", _accept),
    _seen("partner", "GET", "/partners/{link}", _show),
    _changed("confirm_link", "POST", "/partners/{link}/confirm", _confirm),
    _changed("suspend_link", "POST", "/partners/{link}/suspend", _suspend),
    _changed("resume_link", "POST", "/partners/{link}/resume", _resume),
    _changed("close_link", "POST", "/partners/{link}/close", _close),
    _changed("agree", "POST", "/partners/{link}/proposal/accept", _agree),
    _changed("refuse", "POST", "/partners/{link}/proposal/refuse", _refuse),
    _changed("withdraw", "POST", "/partners/{link}/proposal/withdraw", _withdraw),
)
