"""One node under measurement: a real one, in a process of its own, told what to do over a pipe.

Commands come as JSON lines on standard input, answers leave as JSON lines on standard output.
Instants are CLOCK_MONOTONIC, which all processes of one machine share. Nothing here watches
the node while it works: whoever measures looks into its database from outside.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from hub import app, logs
from hub.actions import comments, handoffs, invitations, links, tickets
from hub.actions.comments import AddComment
from hub.actions.context import Actor
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.tickets import NewTicket
from hub.app import Running
from hub.domain.agreement import AsContractor, AsPrincipal, Offer
from hub.domain.comment import Visibility
from hub.domain.handoff import Act
from hub.federation import linking
from hub.ids import HandoffId, LinkId, TicketId
from hub.settings import Settings
from hub.storage import agents

Command = Callable[["Node", dict[str, Any]], Awaitable[dict[str, Any]]]


class Node:
    """What the one who measures can ask of a node."""

    def __init__(self, running: Running, actor: Actor) -> None:
        self._hub = running.hub
        self._transport = running.transport
        self._actor = actor

    async def invite(self, said: dict[str, Any]) -> dict[str, Any]:
        """A code for the other node."""
        invited = await invitations.invite(
            self._hub, self._actor, "bench", offer=_offer_of(agreed="agreed" in said)
        )
        return {"code": invited.code}

    async def link(self, said: dict[str, Any]) -> dict[str, Any]:
        """Take the code and go through the whole handshake."""
        offer = _offer_of(agreed="agreed" in said)
        prepared = await linking.accept(
            self._hub, self._transport, self._actor, said["code"], offer
        )
        await invitations.confirm(self._hub, self._actor, prepared.link.id)
        link = await linking.exchange_signatures(self._hub, self._transport, prepared.link.id)
        return {"link": link.id, "state": link.state.value}

    async def offer(self, said: dict[str, Any]) -> dict[str, Any]:
        """Hand off this many new tickets."""
        made = []
        for n in range(said["count"]):
            ticket = await tickets.create(
                self._hub, self._actor, NewTicket(title=f"Receipt printer {n} does not print")
            )
            wish = OfferHandoff(ticket.id, LinkId(said["link"]))
            made.append((ticket.id, await handoffs.offer(self._hub, self._actor, wish)))
        return {"handed_off": made}

    async def accept(self, said: dict[str, Any]) -> dict[str, Any]:
        """Accept these hand-offs and start working."""
        for handoff_id in said["handoffs"]:
            for act in (Act.ACCEPT, Act.START):
                await handoffs.act(
                    self._hub, self._actor, HandoffId(handoff_id), act, Particulars()
                )
        return {}

    async def add(self, said: dict[str, Any]) -> dict[str, Any]:
        """Add `count` public comments on these tickets from `at_once` tasks; for a time at most."""
        until = time.monotonic() + said.get("seconds", 3600.0)
        texts = itertools.takewhile(lambda _n: time.monotonic() < until, iter(range(said["count"])))
        where = [TicketId(ticket_id) for ticket_id in said["tickets"]]

        async def one_after_another() -> None:
            for n in texts:
                await self._add(where[n % len(where)], n)

        started = time.monotonic()
        await asyncio.gather(*(one_after_another() for _ in range(said["at_once"])))
        return {"started": started, "accepted": time.monotonic()}

    async def add_one(self, said: dict[str, Any]) -> dict[str, Any]:
        """Add one public comment; when it was asked for and when it was committed here."""
        asked = time.monotonic()
        comment_id = await self._add(TicketId(said["ticket"]), said["n"])
        return {"asked": asked, "committed": time.monotonic(), "comment": comment_id}

    async def _add(self, ticket_id: TicketId, n: int) -> str:
        body = f"{n}: replaced the print head, printing a test page. Please check the cut."
        wish = AddComment(ticket_id, body, Visibility.PUBLIC)
        return await comments.add(self._hub, self._actor, wish)

    async def suspend(self, said: dict[str, Any]) -> dict[str, Any]:
        """Stop the exchange on this link: what is said waits."""
        await links.suspend(self._hub, self._actor, LinkId(said["link"]))
        return {}

    async def resume(self, said: dict[str, Any]) -> dict[str, Any]:
        """Let it go on."""
        await links.resume(self._hub, self._actor, LinkId(said["link"]))
        return {"at": time.monotonic()}

    async def cpu(self, _said: dict[str, Any]) -> dict[str, Any]:
        """Seconds of processor time this process has used."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {"seconds": used.ru_utime + used.ru_stime}


def _offer_of(*, agreed: bool) -> Offer:
    """The usual terms (`agreed`), or these without their rate."""
    if agreed:
        return Offer(AsPrincipal(), AsContractor())
    most = 1_000_000  # the machine and the code are measured
    return Offer(AsPrincipal(messages_per_minute=most), AsContractor(messages_per_minute=most))


COMMANDS: Final[dict[str, Command]] = {
    "invite": Node.invite,
    "link": Node.link,
    "offer": Node.offer,
    "accept": Node.accept,
    "add": Node.add,
    "add_one": Node.add_one,
    "suspend": Node.suspend,
    "resume": Node.resume,
    "cpu": Node.cpu,
}


async def serve(name: str, data: Path, port: int) -> None:
    """Found the node, run it, and do what is asked until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints must not get between the answers
    where = f"127.0.0.1:{port}"
    settings = Settings(data=data, name=name, url=f"http://{where}", listen=where, lang="en")
    env = {"HUB_PASSPHRASE": ""}
    await app.found_node(settings, env, admin_email="admin@bench.example", admin_name="Dispatcher")
    async with app.running(settings, env) as running:
        admin = (await running.hub.db.read(agents.everyone))[0]
        node = Node(running, Actor(admin.id, admin.display, admin.role))
        asked = await _lines(sys.stdin)
        print(json.dumps({"ready": True}), file=answers)
        while line := await asked.readline():
            said = json.loads(line)
            answer = await COMMANDS[said["do"]](node, said)
            print(json.dumps(answer), file=answers)


async def _lines(pipe: Any) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader


if __name__ == "__main__":
    logs.set_up("json", "warning")
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
