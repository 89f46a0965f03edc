"""Lists of tickets: filters in the address, saved views, search, bulk actions, the board."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from hub.actions import personal, tickets
from hub.actions.tickets import TicketChanges
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.domain.permission import Permission
from hub.domain.ticket import Priority, TicketStatus
from hub.errors import HubError, Refused
from hub.i18n import N_, ngettext
from hub.i18n import gettext as _
from hub.ids import AgentId, TicketId, is_id
from hub.queries import agents, inside, links, teams
from hub.queries import personal as kept
from hub.queries.ticket_lists import OPEN, Filter, Sort, board, listing

_SOON: Final = timedelta(hours=24)
_BULK_MAX: Final = 200
_SHOWN: Final = 50
_COLUMN: Final = 15  # tickets of one column of the board

FILTERS: Final = (
    "text",
    "status",
    "assignee",
    "priority",
    "tag",
    "customer",
    "team",
    "asset",
    "peer",
    "due",
)
SORTS: Final = (
    (Sort.UPDATED, N_("last change")),
    (Sort.DUE, N_("deadline")),
    (Sort.CREATED, N_("age")),
)
DUE: Final = (("late", N_("overdue")), ("soon", N_("within a day")))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a list says."""

    words: Mapping[str, str]
    sort: Sort
    cursor: str | None

    def query(self, **other: str) -> str:
        """The address with these words in place of what it says."""
        said = {**self.words, "sort": str(self.sort), **other}
        kept_words = {name: value for name, value in said.items() if value}
        if kept_words.get("sort") == Sort.UPDATED:
            kept_words.pop("sort")
        return urlencode(kept_words)


def _asked(visit: Visit) -> Asked:
    words = {name: value for name in FILTERS if (value := visit.query(name)[:200].strip())}
    sort = visit.query("sort", Sort.UPDATED)
    known = sort if sort in set(Sort) else Sort.UPDATED
    return Asked(words, Sort(known), visit.query("cursor") or None)


def _filter(visit: Visit, asked: Asked) -> Filter:
    said, now = asked.words, visit.hub.now()
    status = said.get("status", "open")
    statuses: tuple[str, ...] = (status,) if status in set(TicketStatus) else ()
    assignee = said.get("assignee")
    due = {"late": now, "soon": now + _SOON}.get(said.get("due", ""))
    return Filter(
        statuses=OPEN if status == "open" else statuses,
        assignee=visit.actor.ref if assignee == "me" else assignee,
        priorities=(said["priority"],) if said.get("priority") in set(Priority) else (),
        tag=said.get("tag"),
        customer=said.get("customer"),
        team=said.get("team"),
        asset=said.get("asset"),
        link=said.get("peer"),
        due_before=due,
    )


async def _list(visit: Visit) -> Answer:
    asked, company = _asked(visit), visit.hub.account.name
    now, who = visit.hub.now(), visit.actor.ref

    def look(connection: Any) -> dict[str, Any]:
        found = listing(
            connection,
            _filter(visit, asked),
            text=asked.words.get("text", ""),
            sort=asked.sort,
            cursor=asked.cursor,
            limit=_SHOWN,
            company=company,
        )
        return {
            "found": found,
            "people": agents.everyone(connection),
            "teams": teams.everyone(connection),
            "partners": links.everyone(connection, now),
            "views": kept.views(connection, who),
            "macros": kept.macros(connection),
        }

    facts = await visit.hub.db.read(look)
    facts |= {
        "asked": asked,
        "statuses": [str(one) for one in TicketStatus],
        "priorities": [str(one) for one in Priority],
        "sorts": SORTS,
        "dues": DUE,
        "me_ref": who,
    }
    return Shown("parts/ticket_rows.html" if visit.is_partial else "tickets.html", facts)


async def _board(visit: Visit) -> Answer:
    now, company = visit.hub.now(), visit.hub.account.name
    by = "assignee" if visit.query("by") == "assignee" else "status"

    def look(connection: Any) -> dict[str, Any]:
        columns = []
        if by == "status":
            for status in OPEN:
                wanted = Filter(statuses=(status,))
                page = listing(connection, wanted, limit=_COLUMN, company=company)
                columns.append((str(status), page))
        return {"loads": board(connection, now), "columns": columns}

    facts = await visit.hub.db.read(look)
    counts: dict[str, int] = {}
    for one in facts["loads"]:
        for status, count in one.by_status.items():
            counts[status] = counts.get(status, 0) + count
    most = max([one.open for one in facts["loads"]], default=0)
    return Shown("board.html", {**facts, "by": by, "counts": counts, "most": max(most, 1)})


async def _bulk(visit: Visit) -> Answer:
    """The same to many tickets, each by itself: what cannot be done to one is told at the end."""
    ids = [one for one in await visit.words("ticket") if is_id(one, "tkt")][:_BULK_MAX]
    what, value = await visit.word("what"), await visit.word("value")
    done, failed = 0, ""
    for one in ids:
        try:
            await _do(visit, TicketId(one), what, value)
            done += 1
        except HubError as error:
            failed = error.told
    text = ngettext("{count} ticket changed.", "{count} tickets changed.", done).format(count=done)
    toast = Toast(f"{text} {failed}".strip(), good=not failed)
    query = urlencode(parse_qsl(await visit.word("query")))
    return Redirect(f"{visit.context.renderer.url('tickets')}?{query}", toast)


async def _do(visit: Visit, ticket_id: TicketId, what: str, value: str) -> None:
    hub, actor = visit.hub, visit.actor
    match what:
        case "take":
            wish = TicketChanges(assignee=AgentId(actor.ref))
        case "assign":
            wish = TicketChanges(assignee=AgentId(value))
        case "status" if value in set(TicketStatus):
            wish = TicketChanges(status=TicketStatus(value))
        case "priority" if value in set(Priority):
            wish = TicketChanges(priority=Priority(value))
        case "tag":
            found = await hub.db.read(lambda connection: inside.by_name(connection, ticket_id))
            wish = TicketChanges(tags=[*found.tags, value])
        case "macro":
            await personal.use_macro(hub, actor, value, ticket_id)
            return
        case _:
            raise Refused("nothing_to_change", "Choose what to do.")
    await tickets.change(hub, actor, ticket_id, wish)


async def _save_view(visit: Visit) -> Answer:
    query = urlencode(parse_qsl(await visit.word("query")))
    shared = await visit.word("shared") == "1"
    name = await visit.word("name")
    await personal.save_view(visit.hub, visit.actor, name, query, shared=shared)
    return Redirect(f"{visit.context.renderer.url('tickets')}?{query}", Toast(_("Saved.")))


async def _remove_view(visit: Visit) -> Answer:
    await personal.remove_view(visit.hub, visit.actor, visit.param("view"))
    return Redirect(
        visit.context.renderer.url("tickets"), Toast(_("The list is not kept any more."))
    )


async def _search(visit: Visit) -> Answer:
    """Where a few words lead: to the ticket of this number, else to what is found."""
    text = visit.query("text").strip()
    with contextlib.suppress(HubError):
        if text.upper().removeprefix("T-").isdecimal():
            await visit.hub.db.read(lambda connection: inside.by_name(connection, text))
            number = f"T-{text.upper().removeprefix('T-')}"
            return Redirect(visit.context.renderer.url("ticket", ticket=number))
    return Redirect(visit.context.renderer.url("tickets", text=text, status="any"))


_look: Final = page_for(Permission.TICKETS_READ)
_write: Final = page_for(Permission.TICKETS_WRITE)

PAGES: Final = (
    _look("tickets", "GET", "/tickets", _list),
    _look("board", "GET", "/tickets/board", _board),
    _look("search", "GET", "/tickets/search", _search),
    _write("bulk", "POST", "/tickets/bulk", _bulk),
    _look("save_view", "POST", "/tickets/views", _save_view),
    _look("remove_view", "POST", "/tickets/views/{view}/remove", _remove_view),
)
