"""Foreign desks: how they do, their drafts and versions, trials, and what waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field as Constraint

from hub.actions import desks
from hub.actions.context import Actor, Hub
from hub.actions.desk_bench import DeskKind, Draft, Line, Trial, TrialOfAll
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Nothing, Said, Short
from hub.api.tickets import Cursor, Limit, check_cursor
from hub.api.views import Page, page_of
from hub.domain.desk import DeskRole
from hub.domain.permission import Permission
from hub.ids import DeskId, TicketId
from hub.queries import desks as shown
from hub.queries import names
from hub.queries.desks import DeskView, LookView, PairView, VersionView

_FILE_MAX: Final = 200_000  # as hub/bridge/files.py has it
_CALLS: Final = 1_000

Text = Annotated[Said, Constraint(max_length=_FILE_MAX)]
Name = Annotated[Short, Constraint(min_length=1)]


class NewDeskForm(Form):
    """A desk to begin with; it works when its draft is filled in and published."""

    kind: Annotated[Name, Constraint(description="a template: see /desk-kinds")]
    name: Annotated[Name, Constraint(description="small letters, digits, hyphens")]
    company: Annotated[Name, Constraint(description="whose people work in it")]
    role: DeskRole


class DeskDraftForm(Form):
    """Both files of a draft, and which state of them was seen."""

    seal: Name
    settings: Text
    description: Text


class SecretForm(Form):
    """A secret of a desk; it is never shown again."""

    secret: Annotated[Name, Constraint(max_length=100)]
    value: Annotated[Said, Constraint(min_length=1, max_length=desks.SECRET_MAX)]


class TrialForm(Form):
    """A ticket over there."""

    there: Name


class ReplayForm(Form):
    """What is tried again: all that waits, or what waits about one ticket."""

    ticket: Short = ""
    there: Short = ""


class PairForm(Form):
    """A ticket of ours and one over there."""

    ticket: Name
    there: Name


class TicketForm(Form):
    """A ticket of ours."""

    ticket: Name


class PairQuery(Form):
    """Which pairs."""

    troubled: Annotated[bool, Constraint(description="only those with an error")] = False
    cursor: Cursor | None = None
    limit: Limit = 50


class DeskCallsQuery(Form):
    """Which requests."""

    failed: bool = False
    limit: Annotated[int, Constraint(ge=1, le=_CALLS)] = 50


@dataclass(frozen=True, slots=True)
class DeskDraftView:
    """A draft as it stands; secrets by name alone."""

    settings: str
    description: str
    seal: str
    trouble: str | None
    secrets: list[str]  # that it asks for
    kept: list[str]  # that are kept


@dataclass(frozen=True, slots=True)
class DeskCheckView:
    """What a check found."""

    ok: bool
    findings: list[Line]


@dataclass(frozen=True, slots=True)
class VersionNumber:
    """The version that is at work now."""

    version: int


@dataclass(frozen=True, slots=True)
class AgainView:
    """How much is tried again."""

    again: int


@dataclass(frozen=True, slots=True)
class FilledView:
    """How many tickets are open over there, and how many of them are new here."""

    seen: int
    new: int


@dataclass(frozen=True, slots=True)
class DeskCallView:
    """One request to a desk, without secrets and bodies."""

    at: datetime
    method: str
    address: str
    status: int | None
    took_ms: int
    error: str | None


async def _kinds(visit: Visit, form: Nothing) -> Page[DeskKind]:
    return Page(list(visit.context.desks.kinds()))


async def _list(visit: Visit, form: Nothing) -> Page[DeskView]:
    now = visit.hub.now()
    return Page(await visit.hub.db.read(lambda connection: shown.everyone(connection, now)))


async def _show(visit: Visit, form: Nothing) -> DeskView:
    name, now = visit.params["desk"], visit.hub.now()
    return await visit.hub.db.read(lambda connection: shown.show(connection, name, now))


async def _begin(visit: Visit, form: NewDeskForm) -> Effect[DeskId]:
    bench, now = visit.context.desks, visit.hub.now()
    return Effect(
        lambda _hub: bench.begin(visit.actor, form.kind, form.name, form.company, form.role),
        lambda connection, made: shown.show(connection, made, now),
        one_transaction=False,
    )


async def _draft_view(visit: Visit) -> DeskDraftView:
    name = visit.params["desk"]
    found: Draft = await visit.context.desks.draft(visit.actor, name)
    kept = await visit.hub.db.read(lambda connection: shown.secrets(connection, name))
    asked = [one.name for one in found.secrets]
    return DeskDraftView(found.settings, found.description, found.seal, found.trouble, asked, kept)


async def _draft(visit: Visit, form: Nothing) -> DeskDraftView:
    return await _draft_view(visit)


async def _write(visit: Visit, form: DeskDraftForm) -> Effect[DeskDraftView]:
    name = visit.params["desk"]

    async def write(_hub: Hub) -> DeskDraftView:
        await visit.context.desks.write(
            visit.actor, name, form.seal, form.settings, form.description
        )
        return await _draft_view(visit)

    return Effect(write, lambda _connection, view: view, one_transaction=False)


async def _secret(visit: Visit, form: SecretForm) -> Effect[None]:
    name = visit.params["desk"]
    return Effect(
        lambda hub: desks.keep_secret(hub, visit.actor, name, form.secret, form.value),
        lambda connection, _done: shown.show(connection, name, visit.hub.now()),
    )


async def _check(visit: Visit, form: Nothing) -> Effect[list[Line]]:
    return Effect(
        lambda _hub: visit.context.desks.check(visit.actor, visit.params["desk"]),
        lambda _connection, found: DeskCheckView(
            all(one.level != "error" for one in found), list(found)
        ),
        one_transaction=False,
    )


async def _try(visit: Visit, form: TrialForm) -> Effect[Trial]:
    return Effect(
        lambda _hub: visit.context.desks.try_one(visit.actor, visit.params["desk"], form.there),
        lambda _connection, done: done,
        one_transaction=False,
    )


async def _try_all(visit: Visit, form: Nothing) -> Effect[TrialOfAll]:
    return Effect(
        lambda _hub: visit.context.desks.try_all(visit.actor, visit.params["desk"]),
        lambda _connection, done: done,
        one_transaction=False,
    )


async def _publish(visit: Visit, form: Nothing) -> Effect[int]:
    return Effect(
        lambda _hub: visit.context.desks.publish(visit.actor, visit.params["desk"]),
        lambda _connection, n: VersionNumber(n),
        one_transaction=False,
    )


async def _roll_back(visit: Visit, form: Nothing) -> Effect[int]:
    return Effect(
        lambda hub: desks.roll_back(hub, visit.actor, visit.params["desk"]),
        lambda _connection, n: VersionNumber(n),
    )


async def _versions(visit: Visit, form: Nothing) -> Page[VersionView]:
    name = visit.params["desk"]
    return Page(await visit.hub.db.read(lambda connection: shown.versions(connection, name)))


async def _pairs(visit: Visit, form: PairQuery) -> Page[PairView]:
    name, before = visit.params["desk"], check_cursor(form.cursor, "dtk")

    def find(connection: Any) -> list[PairView]:
        return shown.pairs(
            connection, name, troubled=form.troubled, before=before, limit=form.limit + 1
        )

    return page_of(await visit.hub.db.read(find), form.limit)


async def _unreadable(visit: Visit, form: Nothing) -> Page[LookView]:
    name = visit.params["desk"]
    return Page(await visit.hub.db.read(lambda connection: shown.unreadable(connection, name)))


async def _calls(visit: Visit, form: DeskCallsQuery) -> Page[DeskCallView]:
    name = visit.params["desk"]

    def find(connection: Any) -> list[DeskCallView]:
        return [
            DeskCallView(one.at, one.method, one.address, one.status, one.took_ms, one.error)
            for one in shown.calls(connection, name, failed=form.failed, limit=form.limit)
        ]

    return Page(await visit.hub.db.read(find))


async def _ticket(visit: Visit, name: str) -> TicketId:
    return await visit.hub.db.read(lambda connection: names.ticket(connection, name).id)


async def _replay(visit: Visit, form: ReplayForm) -> Effect[int]:
    name = visit.params["desk"]
    which = await _ticket(visit, form.ticket) if form.ticket else None

    async def again(hub: Hub) -> int:
        if which is None and not form.there:
            return await desks.replay(hub, visit.actor, name)
        await desks.replay_one(hub, visit.actor, name, ticket_id=which, there=form.there)
        return 1

    return Effect(again, lambda _connection, count: AgainView(count))


async def _join(visit: Visit, form: PairForm) -> Effect[None]:
    name, which = visit.params["desk"], await _ticket(visit, form.ticket)
    return Effect(
        lambda _hub: visit.context.desks.join(visit.actor, name, which, form.there),
        lambda connection, _done: shown.pair(connection, name, which),
        one_transaction=False,
    )


async def _cut(visit: Visit, form: TicketForm) -> Effect[None]:
    name, which = visit.params["desk"], await _ticket(visit, form.ticket)
    return Effect(
        lambda hub: desks.cut(hub, visit.actor, name, which),
        lambda connection, _done: shown.pair(connection, name, which),
    )


async def _send(visit: Visit, form: TicketForm) -> Effect[object]:
    name, which = visit.params["desk"], await _ticket(visit, form.ticket)
    return Effect(
        lambda hub: desks.send(hub, visit.actor, name, which),
        lambda connection, _done: shown.pair(connection, name, which),
    )


async def _fill(visit: Visit, form: Nothing) -> Effect[tuple[int, int]]:
    return Effect(
        lambda _hub: visit.context.desks.fill(visit.actor, visit.params["desk"]),
        lambda _connection, done: FilledView(seen=done[1], new=done[0]),
        one_transaction=False,
    )


def _turn(
    name: str, summary: str, do: Callable[[Hub, Actor, str], Awaitable[None]]
) -> Route[Nothing]:
    async def handler(visit: Visit, form: Nothing) -> Effect[None]:
        which, now = visit.params["desk"], visit.hub.now()
        return Effect(
            lambda hub: do(hub, visit.actor, which),
            lambda connection, _done: shown.show(connection, which, now),
        )

    return _post(f"{name}Desk", f"/{name}", summary, handler, DeskView)


def _post(
    name: str,
    path: str,
    summary: str,
    handler: Callable[[Visit, Any], Awaitable[object]],
    answer: Any,
    form: type[Form] = Nothing,
    scope: Permission = Permission.DESKS_WRITE,
) -> Route[Any]:
    return Route(
        name=name,
        method="POST",
        path=f"/desks/{{desk}}{path}",
        scope=scope,
        summary=summary,
        form=form,
        takes=Takes.JSON,
        handler=handler,
        answer=answer,
    )


def _get(
    name: str,
    path: str,
    summary: str,
    handler: Callable[[Visit, Any], Awaitable[object]],
    answer: Any,
    form: type[Form] = Nothing,
) -> Route[Any]:
    return Route(
        name=name,
        method="GET",
        path=path,
        scope=Permission.DESKS_WRITE,
        summary=summary,
        form=form,
        handler=handler,
        answer=answer,
    )


ROUTES: Final[tuple[Route[Any], ...]] = (
    _get("listDeskKinds", "/desk-kinds", "Kinds of desks a new one can begin with", _kinds,
         Page[DeskKind]),
    _get("listDesks", "/desks", "All foreign desks and how they do", _list, Page[DeskView]),
    Route(
        name="beginDesk",
        method="POST",
        path="/desks",
        scope=Permission.DESKS_WRITE,
        summary="Begin a desk, as a draft",
        form=NewDeskForm,
        takes=Takes.JSON,
        handler=_begin,
        answer=DeskView,
        status=201,
    ),
    _get("getDesk", "/desks/{desk}", "One desk, by name or id", _show, DeskView),
    _get("getDeskDraft", "/desks/{desk}/draft", "Its draft, as it stands", _draft, DeskDraftView),
    Route(
        name="writeDeskDraft",
        method="PUT",
        path="/desks/{desk}/draft",
        scope=Permission.DESKS_WRITE,
        summary="Put both files in the place of the draft with this seal",
        form=DeskDraftForm,
        takes=Takes.JSON,
        handler=_write,
        answer=DeskDraftView,
    ),
    _post("keepDeskSecret", "/secrets", "Keep a secret of the desk, encrypted", _secret, DeskView,
          SecretForm),
    _post("checkDesk", "/check", "What is missing before the draft can work", _check,
          DeskCheckView),
    _post("tryDesk", "/trial", "What would become of a ticket over there; changes nothing", _try,
          Trial, TrialForm),
    _post("tryDeskOnAll", "/trial-of-all", "The same of every open one, counted", _try_all,
          TrialOfAll),
    _post("publishDesk", "/publish", "From now on it works as the draft says", _publish,
          VersionNumber),
    _post("rollDeskBack", "/rollback", "Let the version before work again", _roll_back,
          VersionNumber),
    _get("listDeskVersions", "/desks/{desk}/versions", "What was published, newest first",
         _versions, Page[VersionView]),
    _turn("enable", "Let tickets go to and fro", desks.enable),
    _turn("disable", "Read and write nothing there for now; nothing is lost", desks.disable),
    _get("listDeskPairs", "/desks/{desk}/pairs", "Tickets here and over there, newest first",
         _pairs, Page[PairView], PairQuery),
    _post("joinDeskPair", "/pairs", "Our ticket and theirs are one from now on", _join, PairView,
          PairForm),
    _post("cutDeskPair", "/cut", "Nothing goes to and fro between the two any more", _cut,
          PairView, TicketForm),
    _post("sendToDesk", "/send", "Have a ticket of ours made over there", _send, PairView,
          TicketForm, Permission.HANDOFFS_WRITE),
    _post("fillDesk", "/fill", "Take over every ticket that is open over there", _fill,
          FilledView),
    _get("listUnreadable", "/desks/{desk}/unreadable", "Tickets over there that cannot be read",
         _unreadable, Page[LookView]),
    _post("replayDesk", "/replay", "Try again what waits: all, or about one ticket", _replay,
          AgainView, ReplayForm),
    _get("listDeskCalls", "/desks/{desk}/calls", "Requests to the desk, newest first", _calls,
         Page[DeskCallView], DeskCallsQuery),
)  # fmt: skip
