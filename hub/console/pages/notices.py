"""What one is told of, by which way and when; and the page that ends letters about it."""

from __future__ import annotations

from typing import Final

from hub.actions import notices
from hub.console.door import Answer, Open, Page, Redirect, Shown, Toast, Visit, page_for
from hub.domain.notice import Choices, Digest, Kind, Way, kinds_for
from hub.domain.permission import Permission
from hub.errors import HubError, NotFound, Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import notices as views

KINDS: Final = {
    Kind.ASSIGNED: N_("A ticket became mine"),
    Kind.ACCEPTANCE: N_("An offer waits for an answer"),
    Kind.REPLIES: N_("A partner or a requester replied"),
    Kind.DEADLINE: N_("A deadline is near or over"),
    Kind.RETURNED: N_("Work came back"),
    Kind.RATING: N_("Finished work waits for a judgement"),
    Kind.ALARM: N_("Something on the node needs a person"),
}
DIGESTS: Final = {
    Digest.SOON: N_("A few minutes after it happened"),
    Digest.HOURLY: N_("At most once an hour"),
    Digest.DAILY: N_("Once a day, at eight in the morning"),
}


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    agent = visit.actor
    choices, told = await visit.hub.db.read(lambda connection: views.of(connection, agent.ref))
    facts = {
        "kinds": [(str(one), _(KINDS[one])) for one in kinds_for(agent.role)],
        "texts": {str(one): _(text) for one, text in KINDS.items()},
        "wanted": {
            (str(kind), str(way)) for kind in Kind for way in Way if choices.wants(kind, way)
        },
        "digests": [(str(one), _(text)) for one, text in DIGESTS.items()],
        "digest": str(choices.digest),
        "quiet_from": _clock(choices.quiet_from),
        "quiet_to": _clock(choices.quiet_to),
        "told": told,
        "error": error,
    }
    return Shown("notices.html", facts, 422 if error else 200)


def _clock(minutes: int | None) -> str:
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(text: str) -> int | None:
    if not text:
        return None
    hour, _colon, minute = text.partition(":")
    if not (hour.isdecimal() and minute.isdecimal() and len(text) <= len("00:00")):
        raise Refused("quiet_invalid", "Quiet hours need a beginning and another end.")
    return int(hour) * 60 + int(minute)


async def _choose(visit: Visit) -> Answer:
    wanted = set(await visit.words("want"))
    mine = kinds_for(visit.actor.role)
    off = frozenset((kind, way) for kind in mine for way in Way if f"{kind}:{way}" not in wanted)
    digest = await visit.word("digest")
    try:
        choices = Choices(
            off,
            Digest(digest) if digest in set(Digest) else Digest.SOON,
            _minutes(await visit.word("quiet_from")),
            _minutes(await visit.word("quiet_to")),
        )
        await notices.choose(visit.hub, visit.actor, choices)
    except Refused as error:
        return await _page(visit, error)
    return Redirect(visit.context.renderer.url("notices"), Toast(_("Your choice is kept.")))


async def _read(visit: Visit) -> Answer:
    await notices.read(visit.hub, visit.actor)
    return Redirect(visit.context.renderer.url("notices"))


async def _leaving(visit: Visit) -> Answer:
    """Asks first: mail programs and scanners open every address in a letter."""
    try:
        leaver = notices.opened(visit.hub, visit.param("token"))
    except NotFound as error:
        return Shown("guest_ended.html", {"error": error}, 404)
    kinds = [_(KINDS[one]) for one in Kind if one in leaver.kinds]
    facts = {"kinds": kinds, "token": visit.param("token"), "done": False}
    return Shown("notices_left.html", facts)


async def _leave(visit: Visit) -> Answer:
    try:
        await notices.leave(visit.hub, visit.param("token"))
    except NotFound as error:
        return Shown("guest_ended.html", {"error": error}, 404)
    return Shown("notices_left.html", {"kinds": [], "token": "", "done": True})


_own: Final = page_for(Permission.PROFILE)

PAGES: Final = (
    _own("notices", "GET", "/settings/notices", _show),
    _own("choose_notices", "POST", "/settings/notices", _choose),
    _own("read_notices", "POST", "/settings/notices/read", _read),
    page_for(Open.TO_ALL)("leaving_notices", "GET", "/n/{token}", _leaving),
    Page(
        name="leave_notices",
        method="POST",
        path="/n/{token}",
        may=Open.TO_ALL,
        handler=_leave,
        from_anywhere=True,  # RFC 8058: the mail provider calls it
    ),
)
