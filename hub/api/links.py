"""Links and the invitations they begin with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic import Field as Constraint

from hub.actions import invitations, links, mail_links, promotion
from hub.actions.context import Actor, Hub
from hub.actions.invitations import Invited
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, Said, Short, Text, all_sendable
from hub.api.views import Page
from hub.domain.agreement import Offer, offer_from_scopes
from hub.domain.permission import Permission
from hub.ids import LinkId
from hub.queries import links as shown
from hub.queries import names
from hub.queries.links import InvitationLine, LinkLine, LinkView

Scopes = Annotated[
    dict[str, Any] | None,
    AfterValidator(all_sendable),
    Constraint(description="as in a scopes file (docs/reference/scopes.md); else the default"),
]


class InviteForm(Form):
    """Whom to invite, and on which terms."""

    peer: Annotated[Short, Constraint(min_length=1)]
    compare: bool = False
    scopes: Scopes = None


class MailLinkForm(Form):
    """A partner that has a mailbox and no node."""

    address: Annotated[Short, Constraint(min_length=3)]
    name: Short = ""
    language: Short = ""
    scopes: Scopes = None


class AcceptInvitationForm(Form):
    """The code, and whether we agree at once to what follows from the two offers."""

    code: Annotated[Said, Constraint(max_length=2000)]
    confirm: bool = False
    scopes: Scopes = None


class LinkReasonForm(Form):
    """Why, for the partner and our own log."""

    reason: Text = ""


@dataclass(frozen=True, slots=True)
class InvitedView:
    """A fresh invitation. The code is shown this once and kept nowhere."""

    id: str
    code: str
    url: str
    expires_at: datetime


def _offer(scopes: dict[str, Any] | None) -> Offer | None:
    return None if scopes is None else offer_from_scopes(scopes)


async def link_id(visit: Visit) -> LinkId:
    """The link this visit is about, by peer name, node id or link id. Raises NotFound, Conflict."""
    name = visit.params["link"]
    return await visit.hub.db.read(lambda connection: names.link(connection, name).id)


async def _list(visit: Visit, form: Nothing) -> Page[LinkLine]:
    now = visit.hub.now()
    return Page(await visit.hub.db.read(lambda connection: shown.everyone(connection, now)))


async def _invited(visit: Visit, form: Nothing) -> Page[InvitationLine]:
    return Page(await visit.hub.db.read(shown.invited))


async def _show(visit: Visit, form: Nothing) -> LinkView:
    name, now = visit.params["link"], visit.hub.now()
    return await visit.hub.db.read(lambda connection: shown.show(connection, name, now))


async def _invite(visit: Visit, form: InviteForm) -> Effect[Invited]:
    offer = _offer(form.scopes)
    return Effect(
        lambda hub: invitations.invite(
            hub, visit.actor, form.peer, offer=offer, compare=form.compare
        ),
        lambda _connection, made: InvitedView(made.id, made.code, made.url, made.expires_at),
    )


async def _begin_by_mail(visit: Visit, form: MailLinkForm) -> Effect[LinkId]:
    offer, now = _offer(form.scopes), visit.hub.now()

    async def begin(hub: Hub) -> LinkId:
        link = await mail_links.invite(
            hub, visit.actor, form.address, name=form.name, language=form.language, offer=offer
        )
        return link.id

    return Effect(begin, lambda connection, made: shown.show(connection, made, now))


async def _promote(visit: Visit, form: Nothing) -> Effect[Invited]:
    which = await link_id(visit)
    return Effect(
        lambda hub: promotion.invite(hub, visit.actor, which),
        lambda _connection, made: InvitedView(made.id, made.code, made.url, made.expires_at),
        one_transaction=False,
    )


async def _accept(visit: Visit, form: AcceptInvitationForm) -> Effect[LinkId]:
    offer, now = _offer(form.scopes), visit.hub.now()
    return Effect(
        lambda _hub: visit.context.accept_invitation(visit.actor, form.code, offer, form.confirm),
        lambda connection, made: shown.show(connection, made, now),
        one_transaction=False,
    )


async def _confirm(visit: Visit, form: Nothing) -> Effect[None]:
    which, now = await link_id(visit), visit.hub.now()
    return Effect(
        lambda _hub: visit.context.confirm_link(visit.actor, which),
        lambda connection, _done: shown.show(connection, which, now),
        one_transaction=False,
    )


def _step(
    name: str,
    summary: str,
    do: Callable[[Hub, Actor, LinkId, str], Awaitable[object]],
) -> Route[LinkReasonForm]:
    async def handler(visit: Visit, form: LinkReasonForm) -> Effect[object]:
        which, now = await link_id(visit), visit.hub.now()
        return Effect(
            lambda hub: do(hub, visit.actor, which, form.reason),
            lambda connection, _done: shown.show(connection, which, now),
        )

    return Route(
        name=f"{name}Link",
        method="POST",
        path=f"/links/{{link}}/{name}",
        scope=Permission.LINKS_WRITE,
        summary=summary,
        form=LinkReasonForm,
        takes=Takes.JSON,
        handler=handler,
        answer=LinkView,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="listLinks",
        method="GET",
        path="/links",
        scope=Permission.LINKS_READ,
        summary="All links, oldest first",
        form=Nothing,
        handler=_list,
        answer=Page[LinkLine],
    ),
    Route(
        name="listInvitations",
        method="GET",
        path="/invitations",
        scope=Permission.LINKS_READ,
        summary="Invitations that nobody has used yet",
        form=Nothing,
        handler=_invited,
        answer=Page[InvitationLine],
    ),
    Route(
        name="invite",
        method="POST",
        path="/invitations",
        scope=Permission.LINKS_WRITE,
        summary="Make a one-time code for a partner",
        form=InviteForm,
        takes=Takes.JSON,
        handler=_invite,
        answer=InvitedView,
        status=201,
    ),
    Route(
        name="acceptInvitation",
        method="POST",
        path="/links",
        scope=Permission.LINKS_WRITE,
        summary="Take a partner's code; talks to the partner's node",
        form=AcceptInvitationForm,
        takes=Takes.JSON,
        handler=_accept,
        answer=LinkView,
        status=201,
    ),
    Route(
        name="beginMailLink",
        method="POST",
        path="/links/by-mail",
        scope=Permission.LINKS_WRITE,
        summary="Begin to work with a partner that has a mailbox and no node",
        form=MailLinkForm,
        takes=Takes.JSON,
        handler=_begin_by_mail,
        answer=LinkView,
        status=201,
    ),
    Route(
        name="promoteLink",
        method="POST",
        path="/links/{link}/promotion",
        scope=Permission.LINKS_WRITE,
        summary="Make the one-time code by which a partner that works by mail gets a node",
        form=Nothing,
        takes=Takes.JSON,
        handler=_promote,
        answer=InvitedView,
        status=201,
    ),
    Route(
        name="getLink",
        method="GET",
        path="/links/{link}",
        scope=Permission.LINKS_READ,
        summary="A link with its agreement, by peer name, node id or link id",
        form=Nothing,
        handler=_show,
        answer=LinkView,
    ),
    Route(
        name="confirmLink",
        method="POST",
        path="/links/{link}/confirm",
        scope=Permission.LINKS_WRITE,
        summary="Agree: sign the agreement (after comparing the digits, where asked to)",
        form=Nothing,
        takes=Takes.JSON,
        handler=_confirm,
        answer=LinkView,
    ),
    _step("suspend", "Stop the exchange for now", links.suspend),
    _step(
        "resume",
        "Take our suspension back",
        lambda hub, actor, which, _reason: links.resume(hub, actor, which),
    ),
    _step("close", "End the relation", links.close),
)
