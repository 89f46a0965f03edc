"""`hub ticket new | list | show | edit | attach | file`: tickets of this account."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from hub.actions import files, tickets
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.cli import output, session, words
from hub.cli.grammar import Manner, argument, one_of, option, ticket_numbers, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.domain.comment import Visibility
from hub.domain.ticket import (
    Asset,
    ChecklistItem,
    Contact,
    Field,
    Priority,
    Requester,
    Site,
    TicketStatus,
)
from hub.errors import Unavailable
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import names
from hub.queries import tickets as views
from hub.queries.tickets import CommentView, HandoffView, TicketView

P = TypeVar("P", Contact, Site, Asset, Requester)

_SHORT_NAMES: Final = {
    "asset.inventory": "asset.inventory_number",
    "asset.serial": "asset.serial_number",
}
_PARTS: Final = {
    "contact": ("name", "phone", "email", "note"),
    "site": ("name", "address", "note", "parent"),
    "asset": ("name", "model", "inventory_number", "serial_number", "note"),
    "requester": ("name", "email", "phone"),
}

number_argument = argument("number", metavar="NUMBER", shell_complete=ticket_numbers)
attach_option = option(
    "--attach",
    "attached",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=N_("Put this file on it; may be repeated."),
)
_field_option = option(
    "--field",
    "fields",
    multiple=True,
    metavar="K=V",
    help=N_(
        "A fact: contact.name, contact.phone, site.address, asset.model, asset.serial, "
        "requester.name, service, … or a custom field; may be repeated."
    ),
)
_check_option = option(
    "--check", "checks", multiple=True, metavar="TEXT", help=N_("A step of the checklist.")
)
_priority_option = option("--priority", type=one_of(Priority), help=N_("Priority."))


class Told:
    """What `--field` words say, sorted into the parts of a ticket."""

    def __init__(self, said: Sequence[str]) -> None:
        self.due: str | None = None
        self.service: str | None = None
        self.parts: dict[str, dict[str, str]] = {}
        self.custom: dict[str, str] = {}
        for key, value in session.pairs("--field", tuple(said)).items():
            self._take(_SHORT_NAMES.get(key, key), value)

    def _take(self, key: str, value: str) -> None:
        part, dot, member = key.partition(".")
        if key == "due":
            self.due = value
        elif key == "service":
            self.service = value
        elif dot and part in _PARTS:
            if member not in _PARTS[part]:
                raise BadWords(
                    "field_unknown",
                    "--field: there is no '{key}'.",
                    hint="Known of '{part}': {known}.",
                    key=key,
                    part=part,
                    known=", ".join(f"{part}.{one}" for one in _PARTS[part]),
                )
            self.parts.setdefault(part, {})[member] = value
        else:
            self.custom[key] = value

    def part(self, name: str, kind: type[P], before: P | None = None) -> P | None:
        """The part of this name, over what it was; None where nothing was said."""
        said = self.parts.get(name)
        if said is None:
            return None
        return kind(**said) if before is None else replace(before, **said)


async def take_files(hub: Hub, paths: Sequence[Path]) -> list[NewFile]:
    """The bytes of these files in the store."""
    found = []
    for path in paths:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        with path.open("rb") as source:
            found.append(await asyncio.to_thread(files.store, hub, path.name, kind, source))
    return found


@verb(
    N_("Make a ticket. Prints its number."),
    'hub ticket new --title "Receipt printer is silent" --field site.address="Lenina 5"',
    'hub ticket new --title "Till" --priority high --attach photo.jpg --check "Photo after work"',
)
@option("--title", required=True, help=N_("What it is about, in one line."))
@option("--description", default="", help=N_("All about it ('-': from standard input)."))
@_priority_option
@option("--service", help=N_("Which of the agreed services it is."))
@option("--due", metavar="ISO", help=N_("When it must be done."))
@attach_option
@_field_option
@_check_option
def new(
    manner: Manner,
    title: str,
    description: str,
    priority: str | None,
    service: str | None,
    due: str | None,
    attached: tuple[Path, ...],
    fields: tuple[str, ...],
    checks: tuple[str, ...],
) -> None:
    """Make a ticket."""
    told = Told(fields)
    wish = tickets.NewTicket(
        title=title,
        description=sys.stdin.read() if description == "-" else description,
        priority=Priority(priority or Priority.NORMAL),
        service=service or told.service or "",
        requester=told.part("requester", Requester),
        contact=told.part("contact", Contact),
        site=told.part("site", Site),
        asset=told.part("asset", Asset),
        fields=[Field(key, value) for key, value in told.custom.items()],
        checklist=checks,
        due_at=session.instant("--due", due or told.due),
    )

    async def body(here: Session) -> None:
        stored = await take_files(here.hub, attached)
        made = await tickets.create(here.hub, here.actor, replace(wish, files=stored))
        output.show(
            manner,
            {"id": made.id, "number": made.number, "title": made.title, "status": made.status},
            Facts([(N_("Number"), made.number), (N_("Title"), made.title)]),
        )
        output.done(
            manner,
            _("Ticket {number} is made.").format(number=made.number),
            f"hub ticket handoff {made.number} --to PARTNER",
        )

    session.run(manner, body)


@verb(N_("Tickets, newest first."), "hub ticket list", "hub ticket list --status in_progress")
@option("--status", type=one_of(TicketStatus), help=N_("Only those of this status."))
@option("--limit", type=click.IntRange(1, 1000), default=200, help=N_("At most so many."))
@option("--before", metavar="ID", help=N_("Those before this ticket id."))
def list_(manner: Manner, status: str | None, limit: int, before: str | None) -> None:
    """List tickets."""
    lines = session.read(
        manner,
        lambda connection, _hub: views.page(
            connection,
            status=None if status is None else TicketStatus(status),
            before=before,
            limit=limit,
        ),
    )
    output.show(
        manner,
        {"tickets": lines, "next": lines[-1].id if len(lines) == limit else None},
        Table(
            (N_("Number"), N_("Status"), N_("Priority"), N_("Title"), N_("Due"), N_("Changed")),
            [
                (
                    one.number,
                    Word(one.status),
                    Word(one.priority),
                    one.title,
                    one.due_at,
                    one.updated_at,
                )
                for one in lines
            ],
            _('No tickets yet. Make one:  hub ticket new --title "…"'),
        ),
    )


@verb(N_("A ticket with its hand-offs, chain, comments and files."), "hub ticket show T-1001")
@number_argument
def show(manner: Manner, number: str) -> None:
    """Show a ticket."""
    found = session.read(manner, lambda connection, _hub: views.show(connection, number))
    output.show(manner, document(found), *_parts(found))
    if acts := sorted({act for one in found.handoffs for act in one.acts}):
        commands = " | ".join(act.replace("_", "-") for act in acts if act != "cancelled")
        if commands and not manner.json:
            output.say(
                manner,
                _("  Next:  {command}").format(command=f"hub ticket {commands} {found.number}"),
            )


def document(found: TicketView) -> dict[str, Any]:
    """The ticket as `--json` prints it."""
    return {
        **output.members(found),
        "handoffs": [handoff_document(one) for one in found.handoffs],
        "comments": [
            {
                **output.members(one),
                "attachments": list(one.attachments),
                "undelivered": list(one.undelivered),
                "marks": list(one.marks),
            }
            for one in found.comments
        ],
    }


def handoff_document(one: HandoffView) -> dict[str, Any]:
    """A hand-off as `--json` prints it: the grade is a number, its words stand beside it."""
    members = output.members(one)
    rating = members.pop("rating")
    return {
        **members,
        "rating": None if rating is None else rating.score,
        "rating_text": None if rating is None else rating.text,
        "rating_criteria": {} if rating is None else dict(rating.criteria),
        "rating_reply": None if rating is None else rating.reply,
    }


def _parts(found: TicketView) -> list[output.Part]:
    def joined(part: Any) -> str | None:
        if part is None:
            return None
        return ", ".join(v for v in output.members(part).values() if v) or None

    parts: list[output.Part] = [
        Facts(
            [
                (N_("Number"), found.number),
                (N_("Title"), found.title),
                (N_("Status"), Word(found.status)),
                (N_("Priority"), Word(found.priority)),
                (N_("Service"), found.service or None),
                (N_("Due"), found.due_at),
                (N_("Requester"), joined(found.requester)),
                (N_("Contact"), joined(found.contact)),
                (N_("Site"), joined(found.site)),
                (N_("Asset"), joined(found.asset)),
                *[(one.name, one.value) for one in found.fields],
                (N_("Description"), found.description or None),
                *[("☑" if one.done else "☐", one.text) for one in found.checklist],
            ]
        )
    ]
    if found.handoffs:
        parts += [
            Heading(_("Hand-offs")),
            Table(
                (
                    N_("Partner"),
                    N_("We are"),
                    N_("State"),
                    N_("Their number"),
                    N_("Since"),
                    N_("Round"),
                    N_("Rating"),
                ),
                [
                    (
                        one.peer,
                        Word(one.role),
                        Word(one.state),
                        one.peer_number,
                        one.since,
                        one.round,
                        None if one.rating is None else one.rating.score,
                    )
                    for one in found.handoffs
                ],
            ),
        ]
        parts += [Facts([(one.peer, text)]) for one in found.handoffs if (text := _story(one))]
    if len(found.chain) > 1:
        parts += [
            Heading(_("Chain")),
            Table(
                (N_("Level"), N_("Who"), N_("State"), N_("Since")),
                [(one.level, one.account, Word(one.state), one.since) for one in found.chain],
            ),
        ]
    if found.comments:
        parts += [
            Heading(_("Comments")),
            Table(
                (N_("When"), N_("Who"), N_("For"), N_("What")),
                [
                    (
                        one.at,
                        f"{one.author} ({one.account})",
                        Word(one.visibility),
                        _("(taken back)") if one.redacted else _told(one),
                    )
                    for one in found.comments
                ],
            ),
        ]
    if found.attachments:
        parts += [
            Heading(_("Files")),
            Table(
                (N_("Name"), N_("Bytes"), N_("State"), N_("For")),
                [
                    (one.name, one.size, Word(one.state), Word(one.visibility))
                    for one in found.attachments
                ],
            ),
        ]
    return parts


def _told(one: CommentView) -> str:
    """The words, and to whom they did not come."""
    lost = _("(did not reach {address} by letter: {why})")
    return "\n".join(
        [one.body, *(lost.format(address=each.address, why=each.why) for each in one.undelivered)]
    )


def _story(one: HandoffView) -> str | None:
    """What was said with the last steps, in one line."""
    said = [
        one.resolution,
        one.reason,
        words.say(one.pend_reason) if one.pend_reason else None,
        one.stage,
        one.plan,
        one.rating.text if one.rating else None,
        one.rating.reply if one.rating else None,
        _("asks to cancel: {why}").format(why=one.request_reason or "")
        if one.request == "cancel_request"
        else None,
        _("asks to hand the work on: {why}").format(why=one.consent_text or "")
        if one.consent == "asked"
        else None,
        _("may not be handed on: {why}").format(why=one.consent_text or "")
        if one.consent == "refused"
        else None,
    ]
    return " · ".join(text for text in said if text) or None


@verb(
    N_("Change a ticket; contractors hear of what they may see of it."),
    "hub ticket edit T-1001 --priority urgent --due 2027-01-31",
    'hub ticket edit T-1001 --field site.address="Mira 7" --done 2',
)
@number_argument
@option("--title", help=N_("What it is about, in one line."))
@option("--description", help=N_("All about it."))
@_priority_option
@option("--due", metavar="ISO", help=N_("When it must be done."))
@option("--status", type=one_of(TicketStatus), help=N_("Status of our own ticket."))
@_field_option
@_check_option
@option("--done", multiple=True, metavar="N", help=N_("This step of the checklist is done."))
def edit(
    manner: Manner,
    number: str,
    title: str | None,
    description: str | None,
    priority: str | None,
    due: str | None,
    status: str | None,
    fields: tuple[str, ...],
    checks: tuple[str, ...],
    done: tuple[str, ...],
) -> None:
    """Change a ticket."""
    told = Told(fields)

    async def body(here: Session) -> None:
        before = await here.read(lambda connection: names.ticket(connection, number))
        custom = {one.name: one for one in before.fields}
        custom |= {key: Field(key, value) for key, value in told.custom.items()}
        checklist = _ticked(before.checklist, done, checks)
        wish = tickets.TicketChanges(
            title=title,
            description=description,
            priority=None if priority is None else Priority(priority),
            contact=told.part("contact", Contact, before.contact),
            site=told.part("site", Site, before.site),
            asset=told.part("asset", Asset, before.asset),
            requester=told.part("requester", Requester, before.requester),
            fields=list(custom.values()) if told.custom else None,
            checklist=checklist if done or checks else None,
            due_at=session.instant("--due", due or told.due),
            status=None if status is None else TicketStatus(status),
        )
        if wish == tickets.TicketChanges():
            raise BadWords(
                "nothing_to_change",
                "Say what to change.",
                hint="hub ticket edit {number} --priority high",
                number=before.number,
            )
        after = await tickets.change(here.hub, here.actor, before.id, wish)
        output.show(
            manner,
            {"id": after.id, "number": after.number, "title": after.title, "status": after.status},
        )
        output.done(
            manner,
            _("Ticket {number} is changed.").format(number=after.number),
            f"hub ticket show {after.number}",
        )

    session.run(manner, body)


def _ticked(
    before: Sequence[ChecklistItem], done: Sequence[str], more: Sequence[str]
) -> list[ChecklistItem]:
    known = {one.item_id for one in before}
    for wanted in done:
        if wanted not in known:
            raise BadWords(
                "item_unknown",
                "The checklist has no step '{wanted}'.",
                hint="Its steps: {known}.",
                wanted=wanted,
                known=", ".join(sorted(known)) or "-",
            )
    items = [replace(one, done=one.done or one.item_id in done) for one in before]
    taken = [int(one) for one in known if one.isdecimal()]
    first = max(taken, default=0) + 1
    return items + [ChecklistItem(str(n), text) for n, text in enumerate(more, start=first)]


@verb(
    N_("Put files on a ticket as its own; everybody who shares it gets them."),
    "hub ticket attach T-1001 act.pdf photo.jpg",
    "hub ticket attach T-1001 prices.xlsx --internal",
)
@number_argument
@argument(
    "attached",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@option("--internal", is_flag=True, help=N_("Only for us."))
@option("--client", is_flag=True, help=N_("For the requester, not for partners."))
def attach(
    manner: Manner, number: str, attached: tuple[Path, ...], internal: bool, client: bool
) -> None:
    """Put files on a ticket."""
    visibility = (
        Visibility.INTERNAL if internal else (Visibility.CLIENT if client else Visibility.PUBLIC)
    )

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        stored = await take_files(here.hub, attached)
        made = await files.add(here.hub, here.actor, ticket.id, stored, visibility)
        output.show(manner, {"id": ticket.id, "number": ticket.number, "attachments": made})
        output.done(
            manner,
            _("The files are on ticket {number}.").format(number=ticket.number),
            f"hub ticket show {ticket.number}",
        )

    session.run(manner, body)


@verb(
    N_("Save a file of a ticket, named as `hub ticket show` names it, or by its id."),
    "hub ticket file T-1001 photo.jpg -o /tmp/photo.jpg",
)
@number_argument
@argument("name", metavar="NAME")
@option(
    "-o",
    "--output",
    "target",
    metavar="FILE",
    required=True,
    help=N_("Where to ('-': standard output)."),
)
def file(manner: Manner, number: str, name: str, target: str) -> None:
    """Save a file of a ticket."""

    async def body(here: Session) -> None:
        found = await here.read(lambda connection: views.file_named(connection, number, name))
        view = views.file_view(found)
        if target == "-":
            await asyncio.to_thread(_copy, here.hub, found.sha256, None)
            return
        await asyncio.to_thread(_copy, here.hub, found.sha256, Path(target))
        output.show(
            manner,
            {"name": view.name, "size": view.size, "sha256": view.sha256, "file": target},
            Facts([(N_("Name"), view.name), (N_("Bytes"), view.size), ("SHA-256", view.sha256)]),
        )
        output.done(manner, _("Saved as {file}.").format(file=target))

    session.run(manner, body)


def _copy(hub: Hub, sha256: str, target: Path | None) -> None:
    """Copy the file out; under its name only once it is whole."""
    from shutil import copyfileobj

    with hub.blobs.open(sha256) as source:
        if target is None:
            copyfileobj(source, sys.stdout.buffer)
            return
        if target.exists() and not target.is_file():  # a device or a pipe is written to as it is
            with target.open("wb") as out:
                copyfileobj(source, out)
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with temporary.open("wb") as out:
                copyfileobj(source, out)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise Unavailable(
                "storage_unavailable",
                "{path} cannot be written: {why}.",
                because=str(error),
                path=str(target),
                why=(error.strerror or str(error)).lower(),
            ) from error
