"""`hub demo`: three linked companies on this machine, working real-looking tickets together.

Everything in it is the product: real nodes with their own keys and databases, the signed
protocol over HTTP on loopback. It cleans up after itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from hub import app
from hub.actions import access, comments, files, handoffs, invitations, plans, tickets
from hub.actions.access import Purpose
from hub.actions.comments import AddComment
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.plans import Plan
from hub.actions.tickets import NewTicket
from hub.cli.demo_world import COMPANIES, STORIES, Story
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.domain.ticket import Asset, Contact, Field, Priority, Requester, Site
from hub.errors import Unavailable
from hub.federation import linking
from hub.i18n import gettext as _
from hub.ids import HandoffId, LinkId, TicketId
from hub.queries import names, progress
from hub.queries import tickets as views
from hub.settings import Limits, Settings

_PATIENCE_S = 60.0


@dataclass(slots=True)
class Company:
    """One account of the demo and its running node."""

    name: str
    settings: Settings
    running: app.Running
    dispatcher: Actor

    @property
    def hub(self) -> Hub:
        """The node."""
        return self.running.hub


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the story instead of staying.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document last on stdout.")
def demo(*, once: bool, as_json: bool) -> None:
    """Start three linked companies and let them work tickets together."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_demo(once=once, as_json=as_json))


async def _demo(*, once: bool, as_json: bool) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        async with contextlib.AsyncExitStack() as stack:
            companies = [
                await _found(stack, Path(folder) / f"node{n}", name)
                for n, name in enumerate(COMPANIES, start=1)
            ]
            _say("")
            vendor, partner, regional = companies
            await _link(vendor, partner)
            await _link(partner, regional)
            await _work(vendor, partner, regional)
            await _settled(companies)
            result = await _result(companies, started)
            if not as_json or not once:
                await _show(companies)
            if as_json:
                click.echo(json.dumps(result, ensure_ascii=False))
            if not result["ok"]:
                raise SystemExit(1)
            if not once:
                await _stay(companies)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _found(stack: contextlib.AsyncExitStack, data: Path, name: str) -> Company:
    """A company with a running node on a free port."""
    listen = f"127.0.0.1:{_free_port()}"
    settings = Settings(
        data=data,
        name=name,
        listen=listen,
        url=f"http://{listen}",
        lang="ru",
        limits=Limits(retry_base_s=0.5, retry_cap_s=2.0),
    )
    await app.found_node(
        settings, os.environ, admin_email="dispatcher@demo.invalid", admin_name=_("Dispatcher")
    )
    running = await stack.enter_async_context(app.running(settings, os.environ))
    found = await app.first_admin(running.hub)
    _say(f"✓ {name}  {settings.url}")
    return Company(name, settings, running, found)


async def _link(inviter: Company, invitee: Company) -> None:
    """Invite, accept, sign: what `hub link invite` and `hub link accept --yes` do."""
    invited = await invitations.invite(inviter.hub, inviter.dispatcher, invitee.name)
    prepared = await linking.accept(
        invitee.hub, invitee.running.transport, invitee.dispatcher, invited.code
    )
    await invitations.confirm(invitee.hub, invitee.dispatcher, prepared.link.id)
    link = await linking.exchange_signatures(
        invitee.hub, invitee.running.transport, prepared.link.id
    )
    _say(f"✓ {inviter.name} ⇄ {invitee.name}: {link.state}")


async def _settled(companies: Sequence[Company]) -> None:
    """Return when every message is receipted and applied and every file is here."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        found = [await company.hub.db.read(progress.waiting) for company in companies]
        if not any(one.anything for one in found):
            return
        if time.monotonic() > deadline:
            raise Unavailable("demo_stuck", "The demo did not come to rest.", because=repr(found))
        await asyncio.sleep(0.05)


# --- the story ------------------------------------------------------------------------------


async def _work(vendor: Company, partner: Company, regional: Company) -> None:
    """Tickets come in, go down the chain, are worked, and come back up rated."""
    everyone = (vendor, partner, regional)
    to_partner = await _link_id(vendor, partner)
    to_regional = await _link_id(partner, regional)
    made = [(story, await _new_ticket(vendor, story)) for story in STORIES]
    _say(
        _("{count} tickets, {handed} handed on").format(
            count=len(made), handed=sum(1 for story, _id in made if story.depth)
        )
    )
    first: dict[int, HandoffId] = {}
    for n, (story, ticket_id) in enumerate(made):
        if story.depth:
            first[n] = await handoffs.offer(
                vendor.hub, vendor.dispatcher, OfferHandoff(ticket_id, to_partner)
            )
    await _settled(everyone)
    second: dict[int, HandoffId] = {}
    for n, handoff_id in first.items():
        story = made[n][0]
        if story.ends == "offered":
            continue
        if story.ends == "declined":
            await handoffs.act(
                partner.hub,
                partner.dispatcher,
                handoff_id,
                Act.DECLINE,
                Particulars(code="capacity", text="Нет свободных инженеров до понедельника"),
            )
            continue
        await handoffs.act(
            partner.hub,
            partner.dispatcher,
            handoff_id,
            Act.ACCEPT,
            Particulars(due_promised=partner.hub.now() + timedelta(hours=8)),
        )
        if story.depth > 1:
            child = await _ticket_of(partner, handoff_id)
            second[n] = await handoffs.offer(
                partner.hub, partner.dispatcher, OfferHandoff(child, to_regional)
            )
    await _settled(everyone)
    for n, handoff_id in second.items():
        await _field_work(regional, handoff_id, made[n][0])
    await _settled(everyone)
    for n, handoff_id in first.items():
        story = made[n][0]
        if n in second:
            await _judge(partner, second[n], story)
        elif story.ends not in {"offered", "declined"}:
            await _field_work(partner, handoff_id, story)
    await _settled(everyone)
    for n, handoff_id in first.items():
        story = made[n][0]
        if n in second and story.ends in {"rated", "closed"}:
            await handoffs.act(
                partner.hub,
                partner.dispatcher,
                handoff_id,
                Act.RESOLVE,
                Particulars(resolution=story.fix, effort_minutes=story.minutes),
            )
    await _settled(everyone)
    for n, handoff_id in first.items():
        await _judge(vendor, handoff_id, made[n][0])


async def _link_id(company: Company, peer: Company) -> LinkId:
    found = await company.hub.db.read(lambda connection: names.link(connection, peer.name))
    return found.id


async def _ticket_of(company: Company, handoff_id: HandoffId) -> TicketId:
    return await company.hub.db.read(lambda connection: views.ticket_of(connection, handoff_id))


async def _new_ticket(company: Company, story: Story) -> TicketId:
    hub = company.hub
    attached = []
    for name, media_type, content in story.files():
        attached.append(
            await asyncio.to_thread(files.store, hub, name, media_type, io.BytesIO(content))
        )
    made = await tickets.create(
        hub,
        company.dispatcher,
        NewTicket(
            title=story.title,
            description=story.description,
            priority=Priority(story.priority),
            requester=Requester(name=story.caller, phone="+7 900 000-00-00"),
            contact=Contact(name=story.caller, phone="+7 900 000-00-00"),
            site=Site(name=story.site, address=story.address),
            asset=Asset(name=story.asset, serial_number=story.serial),
            fields=[Field("Маржа", "закрыто")],
            due_at=hub.now() + timedelta(minutes=story.due_minutes),
            files=attached,
        ),
    )
    await comments.add(
        hub,
        company.dispatcher,
        AddComment(made.id, "Клиент важный, не затягиваем", Visibility.INTERNAL),
    )
    return made.id


async def _field_work(company: Company, handoff_id: HandoffId, story: Story) -> None:
    """The contractor takes the work and does it as far as the story goes."""
    hub, who = company.hub, company.dispatcher
    ticket_id = await _ticket_of(company, handoff_id)
    shown = await hub.db.read(lambda connection: views.show(connection, ticket_id))
    if shown.handoffs[0].state == "offered":
        await handoffs.act(hub, who, handoff_id, Act.ACCEPT)
    await plans.plan(hub, who, handoff_id, Plan(eta=hub.now() + timedelta(hours=2)))
    if story.ends == "accepted":
        return
    await handoffs.act(hub, who, handoff_id, Act.START)
    photo = await asyncio.to_thread(
        files.store, hub, "фото.txt", "text/plain", io.BytesIO(story.photo())
    )
    await comments.add(
        hub, who, AddComment(ticket_id, story.remark, Visibility.PUBLIC, files=[photo])
    )
    if story.ends == "in_progress":
        return
    if story.ends == "pending":
        await handoffs.act(
            hub,
            who,
            handoff_id,
            Act.PEND,
            Particulars(code="awaiting_parts", text="Ждём термоголовку", stops_clock=True),
        )
        return
    await handoffs.act(
        hub,
        who,
        handoff_id,
        Act.RESOLVE,
        Particulars(resolution=story.fix, effort_minutes=story.minutes),
    )


async def _judge(company: Company, handoff_id: HandoffId, story: Story) -> None:
    """The principal accepts and rates resolved work, or sends it back."""
    hub, who = company.hub, company.dispatcher
    ticket_id = await _ticket_of(company, handoff_id)
    shown = await hub.db.read(lambda connection: views.show(connection, ticket_id))
    mine = next(one for one in shown.handoffs if one.id == handoff_id)
    if mine.state != "resolved":
        return
    if story.ends == "returned":
        await handoffs.act(
            hub,
            who,
            handoff_id,
            Act.RETURN,
            Particulars(reason="Чек снова печатается бледно, проверьте ещё раз"),
        )
    elif story.ends in {"rated", "closed"}:
        await handoffs.act(
            hub,
            who,
            handoff_id,
            Act.CONFIRM,
            Particulars(score=story.score, text="Спасибо, работает"),
        )
        if story.ends == "closed":
            await handoffs.act(hub, who, handoff_id, Act.CLOSE)


# --- what is shown --------------------------------------------------------------------------


async def _result(companies: Sequence[Company], started: float) -> dict[str, Any]:
    nodes = []
    messages = receipts = 0
    count = 0
    ok = True
    for company in companies:
        proof = await company.hub.db.read(progress.coverage)
        lines = await company.hub.db.read(lambda connection: views.page(connection, limit=1000))
        messages += proof.messages
        receipts += proof.covered
        count += len(lines)
        ok = ok and proof.messages == proof.covered
        nodes.append(
            {
                "name": company.name,
                "node_id": company.hub.account.node_id,
                "url": company.settings.url,
                "tickets": len(lines),
                "messages": proof.messages,
                "covered_by_receipts": proof.covered,
                "receipts": proof.receipts,
            }
        )
    return {
        "ok": ok,
        "nodes": nodes,
        "tickets": count,
        "messages": messages,
        "receipts": receipts,
        "seconds": round(time.monotonic() - started, 1),
    }


async def _show(companies: Sequence[Company]) -> None:
    """Each company's view, side by side."""
    from rich.columns import Columns
    from rich.console import Console
    from rich.panel import Panel

    panels = []
    for company in companies:
        lines = await company.hub.db.read(lambda connection: views.page(connection, limit=1000))
        rows = []
        for line in reversed(lines):
            shown = await company.hub.db.read(
                lambda connection, number=line.number: views.show(connection, number)  # type: ignore[misc]
            )
            hands = " ".join(
                f"{'→' if one.role == 'principal' else '←'}{one.peer_number or '…'}:{one.state}"
                for one in shown.handoffs
            )
            stars = next((one.rating.score for one in shown.handoffs if one.rating), None)
            mark = f" {'★' * stars}" if stars else ""
            rows.append(f"{line.number} {line.title[:34]}\n   {line.status} {hands}{mark}")
        panels.append(Panel("\n".join(rows), title=company.name, width=52))
    width = max(os.get_terminal_size().columns, 160) if sys.stderr.isatty() else 160
    Console(file=sys.stderr, width=width).print(Columns(panels))


async def _stay(companies: Sequence[Company]) -> None:
    _say("")
    for company in companies:
        who = company.dispatcher
        link = await access.make(company.hub, who, who.ref, Purpose.SIGN_IN)
        _say(f"{company.name}:  {company.settings.url}{link.path}")
        _say(f"  hub --data {company.settings.data} ticket list")
    _say(_("Each address above opens that company's console once, signed in."))
    _say(_("Ctrl+C ends the demo and removes everything."))
    await asyncio.Event().wait()
