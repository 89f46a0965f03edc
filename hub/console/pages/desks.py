"""Foreign desks: how each does, its draft and versions, a trial on a real ticket, what waits.

Whatever is typed here changes a draft, which works only when somebody publishes it. Checks and
trials speak with the desk and change nothing, here or there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from hub.actions import desks
from hub.actions.context import Actor, Hub
from hub.actions.desk_bench import Asked, Draft, Scalar
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.pages.ticket import ticket_id
from hub.console.problems import status_of
from hub.domain.desk import DeskRole, Mirror, Notes
from hub.domain.permission import Permission
from hub.errors import HubError, NotFound, Refused
from hub.i18n import N_, ngettext
from hub.i18n import gettext as _
from hub.queries import desks as views
from hub.queries import names

_ROWS: Final = 50
_WAITING: Final = 200  # shown of those that wait alone
_PASSED_ON: Final = frozenset({"not_yours"})
"""Errors that no form can show: the page is not for who asks."""
_DRAFT: Final = "desk_draft"


# --- all of them ----------------------------------------------------------------------------


async def _list(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None) -> Shown:
    now = visit.hub.now()
    said = {} if error is None else {name: v[-1] for name, v in (await visit.form()).items()}
    facts = {
        "desks": await visit.hub.db.read(lambda connection: views.everyone(connection, now)),
        "kinds": visit.context.desks.kinds(),
        "roles": [str(one) for one in DeskRole],
        "said": said,
        "error": error,
    }
    return Shown("desks.html", facts, 200 if error is None else status_of(error))


async def _begin(visit: Visit) -> Answer:
    role, name = await visit.word("role"), await visit.word("name")
    try:
        if role not in set(DeskRole):
            raise Refused("role_missing", "Say what the desk is to us.")
        await visit.context.desks.begin(
            visit.actor, await visit.word("kind"), name, await visit.word("company"), DeskRole(role)
        )
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _page(visit, error)
    path = visit.context.renderer.url("desk_draft", desk=name)
    return Redirect(path, Toast(_("The draft is there. Fill it in, then check it.")))


# --- one of them ----------------------------------------------------------------------------


async def _show(visit: Visit) -> Answer:
    return await _one(visit)


async def _one(visit: Visit, error: HubError | None = None) -> Shown:
    name, now, before = visit.param("desk"), visit.hub.now(), visit.query("before") or None

    def look(connection: Any) -> dict[str, Any]:
        return {
            "one": views.show(connection, name, now),
            "alone": [
                one
                for one in views.pairs(connection, name, troubled=True, limit=_WAITING)
                if one.state not in {"cut", "merged", "away"}
            ],
            "unread": views.unreadable(connection, name),
            "unknown": views.unknown_words(connection, name),
            "versions": views.versions(connection, name),
            "pairs": views.pairs(connection, name, before=before, limit=_ROWS + 1),
        }

    facts = await visit.hub.db.read(look)
    pairs = facts.pop("pairs")
    facts |= {
        "pairs": pairs[:_ROWS],
        "more": pairs[_ROWS - 1].id if len(pairs) > _ROWS else "",
        "hook": f"{visit.hub.account.base_url}/hooks/desks/{facts['one'].id}",
        "error": error,
    }
    return Shown("desk.html", facts, 200 if error is None else status_of(error))


def _back(visit: Visit, text: str, undo: str = "", page: str = "desk") -> Redirect:
    path = visit.context.renderer.url(page, desk=visit.param("desk"))
    return Redirect(path, Toast(text, undo))


def _turned(
    do: Callable[[Hub, Actor, str], Awaitable[None]], text: str, undo: str
) -> Callable[[Visit], Awaitable[Answer]]:
    async def handler(visit: Visit) -> Answer:
        name = visit.param("desk")
        try:
            await do(visit.hub, visit.actor, name)
        except HubError as error:
            if error.code in _PASSED_ON or isinstance(error, NotFound):
                raise
            return await _one(visit, error)
        return _back(visit, _(text), visit.context.renderer.url(undo, desk=name))

    return handler


async def _roll_back(visit: Visit) -> Answer:
    try:
        n = await desks.roll_back(visit.hub, visit.actor, visit.param("desk"))
    except HubError as error:
        if error.code in _PASSED_ON or isinstance(error, NotFound):
            raise
        return await _one(visit, error)
    return _back(visit, _("Version {n} works again.").format(n=n))


async def _replay(visit: Visit) -> Answer:
    """Everything that waits, or what waits about one ticket."""
    name, number, there = visit.param("desk"), await visit.word("ticket"), await visit.word("there")
    if number:
        which = await visit.hub.db.read(lambda connection: names.ticket(connection, number).id)
        await desks.replay_one(visit.hub, visit.actor, name, ticket_id=which)
        return _back(visit, _("Ticket {number} is tried again.").format(number=number))
    if there:
        await desks.replay_one(visit.hub, visit.actor, name, there=there)
        return _back(visit, _("Ticket {number} is tried again.").format(number=there))
    count = await desks.replay(visit.hub, visit.actor, name)
    told = ngettext("{count} ticket is tried again.", "{count} tickets are tried again.", count)
    return _back(visit, told.format(count=count))


async def _join(visit: Visit) -> Answer:
    name, number, there = visit.param("desk"), await visit.word("ticket"), await visit.word("there")
    try:
        which = await visit.hub.db.read(lambda connection: names.ticket(connection, number).id)
        await visit.context.desks.join(visit.actor, name, which, there)
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _one(visit, error)
    told = _("{number} and {there} are one from now on.").format(number=number, there=there)
    return _back(visit, told)


async def _cut(visit: Visit) -> Answer:
    number = await visit.word("ticket")
    which = await visit.hub.db.read(lambda connection: names.ticket(connection, number).id)
    await desks.cut(visit.hub, visit.actor, visit.param("desk"), which)
    return _back(visit, _("The two are on their own now."))


async def _fill(visit: Visit) -> Answer:
    try:
        begun, seen = await visit.context.desks.fill(visit.actor, visit.param("desk"))
    except HubError as error:
        if error.code in _PASSED_ON or isinstance(error, NotFound):
            raise
        return await _one(visit, error)
    told = _("Open over there: {seen}. New here: {new}.").format(seen=seen, new=begun)
    return _back(visit, told)


async def _log(visit: Visit) -> Answer:
    name, failed = visit.param("desk"), visit.query("failed") == "1"
    asked = visit.query("before")
    before = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 16 else None

    def look(connection: Any) -> dict[str, Any]:
        return {
            "desk": views.called(connection, name),
            "calls": views.calls(connection, name, failed=failed, before=before, limit=_ROWS + 1),
        }

    facts = await visit.hub.db.read(look)
    calls = facts["calls"]
    facts |= {
        "calls": calls[:_ROWS],
        "more": calls[_ROWS - 1].n if len(calls) > _ROWS else "",
        "failed": failed,
    }
    return Shown("desk_log.html", facts)


# --- its draft ------------------------------------------------------------------------------


async def _draft(visit: Visit) -> Answer:
    return await _draft_page(visit)


async def _draft_page(
    visit: Visit,
    error: HubError | None = None,
    *,
    typed: tuple[str, str] | None = None,
    **more: Any,
) -> Shown:
    """The draft as it stands; `typed` is what somebody wrote that could not be kept."""
    name, now = visit.param("desk"), visit.hub.now()

    def look(connection: Any) -> dict[str, Any]:
        return {
            "one": views.show(connection, name, now),
            "kept": views.secrets(connection, name),
        }

    facts = await visit.hub.db.read(look)
    draft: Draft | None = None
    try:
        draft = await visit.context.desks.draft(visit.actor, name)
    except NotFound as lost:
        error = error or lost
    facts |= {
        "draft": draft,
        "typed": typed or ((draft.settings, draft.description) if draft else ("", "")),
        "roles": [str(one) for one in DeskRole],
        "mirrors": [str(one) for one in Mirror],
        "notes": [str(one) for one in Notes],
        "findings": None,
        "trial": None,
        "all": None,
        "there": "",
        "error": error,
        **more,
    }
    return Shown("desk_draft.html", facts, 200 if error is None or draft is None else 422)


async def _fill_in(visit: Visit) -> Answer:
    """The form: the usual members of desk.yaml, and what the description asks for."""
    name = visit.param("desk")
    draft = await visit.context.desks.draft(visit.actor, name)
    said: dict[str, Scalar] = {
        "company": await visit.word("company"),
        "role": await visit.word("role"),
        "poll_every_s": _number(await visit.word("poll_every_s")),
        "mirror": await visit.word("mirror"),
        "notes": await visit.word("notes"),
        "show_names": await visit.word("show_names") == "1",
        "tell_number": await visit.word("tell_number") == "1",
        "service": await visit.word("service"),
    }
    for one in draft.asked:
        said[f"settings.{one.name}"] = _answer(one, await visit.word(f"setting-{one.name}"))
    try:
        await visit.context.desks.fill_in(visit.actor, name, await visit.word("seal"), said)
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error)
    return _back(visit, _("The draft is kept. It works only when it is published."), "", _DRAFT)


def _number(text: str) -> Scalar:
    """A number where it is one; else the text, for the rules to refuse."""
    try:
        return int(text[:20])
    except ValueError:
        return text


def _answer(one: Asked, text: str) -> Scalar:
    if one.kind == "flag":
        return text == "1"
    if not text:
        return None
    return _number(text) if one.kind == "number" else text


async def _write(visit: Visit) -> Answer:
    """Both files, as somebody typed them."""
    form = await visit.form()
    settings, description = [
        form.get(name, [""])[-1].replace("\r\n", "\n") for name in ("settings", "description")
    ]
    try:
        await visit.context.desks.write(
            visit.actor, visit.param("desk"), await visit.word("seal"), settings, description
        )
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error, typed=(settings, description))
    return _back(visit, _("The draft is kept. It works only when it is published."), "", _DRAFT)


async def _secret(visit: Visit) -> Answer:
    try:
        await desks.keep_secret(
            visit.hub,
            visit.actor,
            visit.param("desk"),
            (await visit.word("secret"))[:100],
            await visit.word("value"),
        )
    except Refused as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error)
    return _back(visit, _("The secret is kept, encrypted."), "", _DRAFT)


async def _check(visit: Visit) -> Answer:
    try:
        found = await visit.context.desks.check(visit.actor, visit.param("desk"))
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error)
    return await _draft_page(visit, findings=found)


async def _try(visit: Visit) -> Answer:
    """What would become of one ticket, or of all open ones."""
    name, there = visit.param("desk"), await visit.word("there")
    try:
        if await visit.word("all"):
            return await _draft_page(
                visit, all=await visit.context.desks.try_all(visit.actor, name)
            )
        if not there:
            raise Refused("there_missing", "Say which ticket over there.")
        done = await visit.context.desks.try_one(visit.actor, name, there)
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error, there=there)
    return await _draft_page(visit, trial=done, there=there)


async def _publish(visit: Visit) -> Answer:
    try:
        n = await visit.context.desks.publish(visit.actor, visit.param("desk"))
    except HubError as error:
        if error.code in _PASSED_ON:
            raise
        return await _draft_page(visit, error)
    undo = visit.context.renderer.url("roll_desk_back", desk=visit.param("desk")) if n > 1 else ""
    return _back(visit, _("Version {n} is published.").format(n=n), undo)


# --- a ticket of ours -----------------------------------------------------------------------


async def _send(visit: Visit) -> Answer:
    """Have a ticket of ours made on a desk."""
    await desks.send(visit.hub, visit.actor, await visit.word("desk"), await ticket_id(visit))
    path = visit.context.renderer.url("ticket", ticket=visit.param("ticket"))
    return Redirect(path, Toast(_("It will be made over there in a moment.")))


_keep: Final = page_for(Permission.DESKS_WRITE)
_AT: Final = "/settings/desks/{desk}"

PAGES: Final = (
    _keep("desks", "GET", "/settings/desks", _list),
    _keep("begin_desk", "POST", "/settings/desks", _begin),
    _keep("desk", "GET", _AT, _show),
    _keep("enable_desk", "POST", f"{_AT}/enable",
          _turned(desks.enable, N_("Tickets go to and fro from now on."), "disable_desk")),
    _keep("disable_desk", "POST", f"{_AT}/disable",
          _turned(desks.disable, N_("Nothing is read or written there for now."), "enable_desk")),
    _keep("roll_desk_back", "POST", f"{_AT}/rollback", _roll_back),
    _keep("replay_desk", "POST", f"{_AT}/replay", _replay),
    _keep("join_pair", "POST", f"{_AT}/pairs", _join),
    _keep("cut_pair", "POST", f"{_AT}/cut", _cut),
    _keep("fill_desk", "POST", f"{_AT}/fill", _fill),
    _keep("desk_log", "GET", f"{_AT}/log", _log),
    _keep("desk_draft", "GET", f"{_AT}/draft", _draft),
    _keep("fill_in_desk", "POST", f"{_AT}/draft", _fill_in),
    _keep("write_desk", "POST", f"{_AT}/files", _write),
    _keep("keep_desk_secret", "POST", f"{_AT}/secret", _secret),
    _keep("check_desk", "POST", f"{_AT}/check", _check),
    _keep("try_desk", "POST", f"{_AT}/trial", _try),
    _keep("publish_desk", "POST", f"{_AT}/publish", _publish),
    page_for(Permission.HANDOFFS_WRITE)(
        "send_to_desk", "POST", "/tickets/{ticket}/desk", _send
    ),
)  # fmt: skip
