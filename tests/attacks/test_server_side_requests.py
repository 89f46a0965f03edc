"""Family C: every place where a partner's word decides where this node connects to.

How a node reaches out at all is tested form by form in tests/federation/test_guard.py; here the
addresses come in where a partner can put them: into an invitation, into its offer for a link.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from hashlib import sha256

import pytest
from aiohttp.abc import ResolveResult

from hub.actions import files, invitations, tickets
from hub.actions.handoffs import OfferHandoff, offer
from hub.errors import HubError
from hub.federation import linking
from hub.federation.client import GuardedTransport
from hub.federation.guard import Guard
from hub.protocol import invitation as codes
from hub.protocol.encoding import b64url, unb64url
from hub.storage import outbox
from hub.workers.cranks import Deliveries, Files
from tests.attacks.scene import descriptor
from tests.kit.addresses import EVERY_ADDRESS, ScriptedResolver, in_url
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored

EVERY = [address for address, _ in EVERY_ADDRESS]


class ChainedResolver(ScriptedResolver):
    """Says of a name that it is another's alias, whose address this is."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        return [{**one, "hostname": "cdn.partner.example"} for one in found]


WAYS = {
    "written out": lambda address: (in_url(address), ScriptedResolver([])),
    "by its name": lambda address: ("hub.partner.example", ScriptedResolver([address])),
    "by an alias": lambda address: ("hub.partner.example", ChainedResolver([address])),
    "among others of its kind": lambda address: (
        "hub.partner.example", ScriptedResolver([address, "10.0.0.1", "::1"])),
}  # fmt: skip
"""How an address comes into a URL: its host, and who is asked for it. An answer with AAAA records
only is one of the forms: half of them are."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    network = Network(tmp_path_factory.mktemp("requests"), seed="requests")
    yield asyncio.run(network.company("Сервис Плюс"))
    asyncio.run(network.close())


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that a socket of this process was told to connect to."""
    tried: list[object] = []
    plain = asyncio.BaseEventLoop.sock_connect  # type: ignore[attr-defined]

    async def noted(self: object, sock: socket.socket, address: object) -> None:
        tried.append(address)
        await plain(self, sock, address)

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", noted)  # type: ignore[attr-defined]
    return tried


def _to(code: str, base: str) -> str:
    """The code, leading there, without a typing error."""
    raw = unb64url(code.removeprefix(codes.PREFIX))
    body = json.dumps({**json.loads(raw[:-4]), "base": base}, separators=(",", ":")).encode()
    return codes.PREFIX + b64url(body + sha256(body).digest()[:4])


@pytest.mark.parametrize("way", WAYS)
async def test_an_invitation_takes_this_node_to_no_address_of_the_inside(
    company: Company, tmp_path_factory: pytest.TempPathFactory, no_sockets: list[object], way: str
) -> None:
    network = Network(tmp_path_factory.mktemp("nobody"), seed="inviter")
    network.clock = company.hub.clock  # type: ignore[assignment]
    code = FakePeer.of(network, "Приглашающий").invite()
    before = await stored(company.hub)
    words = set()
    for address in EVERY:
        host, resolver = WAYS[way](address)
        transport = GuardedTransport(Guard(), resolver=resolver)
        with pytest.raises(HubError) as refused:
            await linking.accept(
                company.hub, transport, company.dispatcher, _to(code, f"https://{host}"), None
            )
        await transport.close()
        # Some forms are no spelling of an address to begin with.
        words.add((refused.value.code, refused.value.told))
    assert {code for code, _ in words} <= {"address_forbidden", "malformed", "invite_invalid"}
    assert ("address_forbidden", "This address cannot be used") in words
    assert len(words) <= 2  # open or shut, there or not: it all sounds the same
    assert changed(before, await stored(company.hub)) == []
    assert no_sockets == []


async def test_a_partner_at_an_address_of_the_inside_is_never_called(
    company: Company, no_sockets: list[object]
) -> None:
    """It links as any other, since the handshake is its own call; then we have something to say."""
    network = Network(company.settings.data.parent, seed="insiders")
    network.clock = company.hub.clock  # type: ignore[assignment]
    network.wire = company.transport._wire
    network.companies[company.name] = company
    transport = GuardedTransport(Guard(), resolver=ScriptedResolver(["10.0.0.1"]))
    spelled = [base for address in EVERY if (base := f"https://{in_url(address)}")]
    linked: list[str] = []
    for n, base in enumerate(spelled):
        peer = FakePeer.of(network, f"Внутри {n}")
        invited = await invitations.invite(company.hub, company.dispatcher, peer.name)
        said = await peer.ask(company, invited.code, offer_text=peer.offer_text(base_url=base))
        if said.status != 202:
            assert said.code == "malformed", base  # no spelling of an address
            continue
        peer.take(company, said.members["agreement"])
        await peer.call("PUT", f"{peer.path}/agreement", peer.own_signature())
        ticket = await tickets.create(
            company.hub, company.dispatcher, tickets.NewTicket(title=f"Касса {n}")
        )
        await offer(company.hub, company.dispatcher, OfferHandoff(ticket.id, peer.link_id))
        await peer.say(
            "handoff.offer",
            peer.offer_data(files=[descriptor(peer)]),
            handoff=peer.new_id("hnd"),
        )
        linked.append(peer.link_id)
    for crank in company.cranks:
        if type(crank).__name__ == "Inbox":
            await crank.turn()
    assert len(linked) > 50
    fetches = len(await files.due_fetches(company.hub))
    assert fetches > 0
    for crank in (
        Deliveries(company.hub, transport, wait=True),
        Files(company.hub, transport, wait=True),
    ):
        await crank.turn()
    await transport.close()
    for link_id in linked:
        rows = await company.hub.db.read(lambda c, id_=link_id: outbox.after(c, id_, 0, 10))
        assert "address_forbidden" in (rows[0].last_error or "")
    assert no_sockets == []
