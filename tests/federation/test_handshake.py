"""How two nodes come to trust each other, and everything that must not make them.

Real nodes wherever both sides are honest; a partner driven by hand where one is not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.actions import handoffs, invitations, tickets
from hub.actions.handoffs import OfferHandoff
from hub.domain.agreement import Offer, default_offer, offer_from_scopes
from hub.domain.handoff import State
from hub.errors import Conflict, HubError, Refused, Unavailable, Untrusted
from hub.federation import linking
from hub.federation.door import Call, Reply
from hub.ids import LinkId
from hub.protocol import agreement as agreements
from hub.protocol import invitation as codes
from hub.protocol import strict_json
from hub.protocol.encoding import b64url, sha256_b64, unb64url
from hub.protocol.keys import PrivateKey
from hub.storage import audit
from hub.storage import handoffs as kept_handoffs
from hub.storage import links as kept_links
from hub.storage.links import Link, LinkState
from tests.kit.clock import SeededEntropy
from tests.kit.fake_peer import FakePeer
from tests.kit.network import Company, Network
from tests.kit.rows import changed, stored


@pytest.fixture
async def network(quick_path: Path) -> AsyncIterator[Network]:
    made = Network(quick_path, seed="handshake")
    yield made
    await made.close()


@pytest.fixture
async def a(network: Network) -> Company:
    return await network.company("Сервис Плюс")


@pytest.fixture
async def b(network: Network, a: Company) -> Company:
    return await network.company("Мастер-Юг")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two companies for everything that is refused, and so leaves them as they were."""
    made = Network(tmp_path_factory.mktemp("standing"), seed="standing")

    async def found() -> None:
        await made.company("Сервис Плюс", pending_links_per_domain=1000)
        await made.company("Мастер-Юг")

    asyncio.run(found())
    yield made
    asyncio.run(made.close())


async def invite(company: Company, **how: Any) -> str:
    made = await invitations.invite(company.hub, company.dispatcher, "Партнёр", **how)
    return made.code


async def accept(company: Company, code: str, offer: Offer | None = None) -> Link:
    prepared = await linking.accept(company.hub, company.transport, company.dispatcher, code, offer)
    return prepared.link


async def confirm(company: Company, link_id: LinkId) -> Link:
    return await invitations.confirm(company.hub, company.dispatcher, link_id)


async def exchange(company: Company, link_id: LinkId) -> Link:
    return await linking.exchange_signatures(company.hub, company.transport, link_id)


async def links_of(company: Company) -> list[Link]:
    return await company.hub.db.read(kept_links.everyone)


async def only_link(company: Company) -> Link:
    (link,) = await links_of(company)
    return link


async def kinds(company: Company) -> list[str]:
    return [alert.kind for alert in await company.hub.db.read(audit.open_alerts)]


async def works(network: Network, a: Company, b: Company, link_id: LinkId) -> None:
    """An offer each way arrives: the link is good for what it is for."""
    for here, there in ((a, b), (b, a)):
        ticket = await tickets.create(here.hub, here.dispatcher, tickets.NewTicket(title="Касса"))
        handoff_id = await handoffs.offer(
            here.hub, here.dispatcher, OfferHandoff(ticket.id, link_id)
        )
        await network.run_until_idle()
        found = await there.hub.db.read(lambda c: kept_handoffs.find(c, handoff_id))  # noqa: B023 - awaited at once
        assert found is not None
        assert found.state is State.OFFERED


async def patience(network: Network) -> None:
    """Minutes pass; whatever a node tries again by itself, it has tried again."""
    for _ in range(3):
        await network.run_until_idle()
        network.clock.advance(seconds=61)
    await network.run_until_idle()


def decoded(code: str) -> dict[str, Any]:
    raw = unb64url(code.removeprefix(codes.PREFIX))
    members: dict[str, Any] = json.loads(raw[:-4])
    return members


def tampered(code: str, **other: Any) -> str:
    """The code with other members and a right typo check."""
    body = strict_json.dump({**decoded(code), **other}).encode()
    return codes.PREFIX + b64url(body + sha256(body).digest()[:4])


# --- the right way ----------------------------------------------------------------------------


async def test_both_sides_hold_the_same_agreement_and_show_the_same_digits(
    network: Network, a: Company, b: Company
) -> None:
    prepared = await accept(b, await invite(a))
    assert prepared.agreement is not None
    before = agreements.parse(prepared.agreement).digits
    await confirm(b, prepared.id)
    link = await exchange(b, prepared.id)
    ours, theirs = await only_link(a), await only_link(b)
    assert (ours.state, theirs.state) == (LinkState.ACTIVE, LinkState.ACTIVE)
    assert ours.id == theirs.id == link.id
    assert ours.agreement == theirs.agreement is not None
    assert ours.agreement_hash == theirs.agreement_hash
    digits = {agreements.parse(one.agreement or "").digits for one in (ours, theirs)}
    assert digits == {before}
    assert (ours.our_signature, ours.peer_signature) == (
        theirs.peer_signature,
        theirs.our_signature,
    )
    assert ours.our_signature != ours.peer_signature
    await works(network, a, b, link.id)


async def test_the_code_as_a_web_address_with_blanks_around_it_is_taken(
    network: Network, a: Company, b: Company
) -> None:
    made = await invitations.invite(a.hub, a.dispatcher, "Партнёр")
    link = await accept(b, f"  {made.url}\n")
    await confirm(b, link.id)
    await network.run_until_idle()
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.ACTIVE] * 2


async def test_the_secret_of_the_code_never_travels(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    link = await accept(b, code)
    await confirm(b, link.id)
    await network.run_until_idle()
    secret = codes.decode(code).secret
    for form in (secret, b64url(secret).encode(), secret.hex().encode(), code.encode()):
        assert not any(form in one for one in network.wire.sent)


# --- a code that is not good ------------------------------------------------------------------


async def test_an_expired_code_is_refused_by_the_invitee_before_anything_of_ours_is_sent(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    network.clock.advance(hours=72, seconds=1)
    before = await stored(b.hub)
    with pytest.raises(Refused, match="invite_expired"):
        await accept(b, code)
    assert changed(before, await stored(b.hub)) == []
    assert await links_of(a) == []
    assert not any(one.startswith(b"POST") for one in network.wire.sent)


async def test_a_code_whose_date_was_forged_is_refused_by_the_inviter(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    network.clock.advance(hours=72, seconds=1)
    with pytest.raises(Refused, match="invite_expired"):
        await accept(b, tampered(code, expires="2027-12-31T00:00:00.000Z"))
    assert await links_of(a) == []


async def test_a_request_begun_in_time_may_be_finished_after_the_code_has_expired(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    network.wire.fault = lambda _c, method, _u: "drop_reply" if method == "POST" else None
    with pytest.raises(Unavailable):
        await accept(b, code)
    network.wire.fault = lambda *_: None
    network.clock.advance(hours=80)
    link = await accept(b, code)
    await confirm(b, link.id)
    await patience(network)
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.ACTIVE] * 2


MISTYPED: dict[str, tuple[Callable[[str], str], str]] = {
    "nothing": (lambda _c: "", "invite_invalid"),
    "other words": (lambda _c: "привет", "invite_invalid"),
    "without its beginning": (lambda c: c[5:], "invite_invalid"),
    "another version": (lambda c: "txp2." + c[5:], "invite_invalid"),
    "the last letter missing": (lambda c: c[:-1], "invite_mistyped"),
    "the first letters missing": (lambda c: "txp1." + c[9:], "invite_mistyped"),
    "a letter changed": (lambda c: c[:40] + ("A" if c[40] != "A" else "B") + c[41:],
                         "invite_mistyped"),
    "two letters swapped": (
        lambda c: c[:30] + c[31] + c[30] + c[32:] if c[30] != c[31] else c[:-1],
        "invite_mistyped"),
    "twice": (lambda c: c + c[5:], "invite_mistyped"),
    "a blank inside": (lambda c: c[:50] + " " + c[50:], "invite_mistyped"),
    "padded": (lambda c: c + "=", "invite_mistyped"),
    "small letters": (lambda c: c.lower(), "invite_mistyped"),
    "far too long": (lambda c: c + "A" * 5000, "invite_invalid"),
}  # fmt: skip


@pytest.mark.parametrize("how", MISTYPED)
async def test_a_mistyped_code_is_told_apart_from_no_code_and_nothing_is_sent(
    standing: Network, how: str
) -> None:
    a, b = standing.companies.values()
    sent = len(standing.wire.sent)
    spoil, expected = MISTYPED[how]
    code = await invite(a)
    before = await stored(b.hub)
    with pytest.raises(Refused) as refused:
        await accept(b, spoil(code))
    assert refused.value.code == expected
    assert changed(before, await stored(b.hub)) == []
    assert len(standing.wire.sent) == sent


async def test_a_code_with_another_identity_is_refused_before_anything_of_ours_is_sent(
    network: Network, a: Company, b: Company
) -> None:
    code = tampered(await invite(a), identity=sha256_b64(b"somebody else"))
    before = await stored(b.hub)
    with pytest.raises(Untrusted, match="identity_differs"):
        await accept(b, code)
    assert changed(before, await stored(b.hub)) == []
    assert not any(one.startswith(b"POST") for one in network.wire.sent)


async def test_a_code_that_leads_to_another_node_is_refused(
    network: Network, a: Company, b: Company
) -> None:
    c = await network.company("Север")
    code = tampered(await invite(a), base=c.settings.url)
    with pytest.raises(Untrusted, match="identity_differs"):
        await accept(b, code)
    assert await links_of(b) == await links_of(c) == []


async def test_a_node_that_names_another_address_than_the_code_is_refused(
    network: Network, a: Company, b: Company
) -> None:
    """A proxy in between: the right node's document, from the wrong address."""
    network.wire.doors["http://127.0.0.1:1"] = network.wire.doors[a.settings.url]
    code = tampered(await invite(a), base="http://127.0.0.1:1")
    with pytest.raises(Untrusted, match="identity_differs"):
        await accept(b, code)
    assert await links_of(b) == []


async def test_a_code_for_an_invitation_that_does_not_exist_is_refused(
    network: Network, a: Company, b: Company
) -> None:
    code = tampered(await invite(a), id="inv_" + "0" * 32)
    with pytest.raises(Refused, match="not_found"):
        await accept(b, code)
    assert await links_of(a) == []


DOCUMENTS: dict[str, Callable[[FakePeer, Call], Reply]] = {
    "html": lambda p, _c: Reply(200, {"content-type": "text/html"}, p.document()),
    "no type": lambda p, _c: Reply(200, {}, p.document()),
    "404": lambda p, _c: Reply(404, {"content-type": "application/json"}, p.document()),
    "a redirect": lambda _p, _c: Reply(302, {"location": "http://127.0.0.1:9000"}, b""),
    "garbage": lambda _p, _c: Reply(200, {"content-type": "application/json"}, b"{"),
    "out of date": lambda p, _c: Reply(
        200,
        {"content-type": "application/json"},
        p.document(valid_until=p.now - timedelta(days=1)),
    ),
    "of another node": lambda p, _c: Reply(
        200,
        {"content-type": "application/json"},
        FakePeer.of(p.network, "someone").document(base_url=p.base_url),
    ),
    "with another's name on it": lambda p, _c: Reply(
        200,
        {"content-type": "application/json"},
        p.document().replace(b"A", b"B", 1),
    ),
}


@pytest.mark.parametrize("how", DOCUMENTS)
async def test_a_discovery_document_that_proves_nothing_is_refused(
    standing: Network, how: str
) -> None:
    a = standing.companies["Сервис Плюс"]
    peer = FakePeer.of(standing, "Лжец")
    peer.script = lambda call: (
        DOCUMENTS[how](peer, call) if call.target == "/.well-known/txp" else None
    )
    before = await stored(a.hub)
    with pytest.raises(Untrusted):
        await accept(a, peer.invite())
    assert changed(before, await stored(a.hub)) == []


@pytest.mark.parametrize("versions", [("2.0",), ("0.9",), ("1", "1.0.0"), ()])
async def test_a_node_of_an_unknown_version_is_refused(
    standing: Network, versions: tuple[str, ...]
) -> None:
    a = standing.companies["Сервис Плюс"]
    peer = FakePeer.of(standing, "Будущее")
    peer.script = lambda call: (
        Reply(200, {"content-type": "application/json"}, peer.document(versions=versions))
        if call.target == "/.well-known/txp"
        else None
    )
    before = await stored(a.hub)
    with pytest.raises(Refused, match="version_unsupported"):
        await accept(a, peer.invite())
    assert changed(before, await stored(a.hub)) == []


async def test_an_invitee_of_an_unknown_version_is_refused(network: Network, a: Company) -> None:
    peer = FakePeer.of(network, "Будущее")
    said = await peer.ask(a, await invite(a), offer_text=peer.offer_text(versions=["2.0"]))
    assert (said.status, said.code) == (422, "version_unsupported")
    assert await links_of(a) == []


async def test_an_invitee_of_several_versions_is_met_at_ours(network: Network, a: Company) -> None:
    peer = FakePeer.of(network, "Будущее")
    offer_text = peer.offer_text(versions=["3.0", "1.0"], more={"of": "this"})
    await peer.link_with(a, offer_text=offer_text)
    assert peer.agreement is not None
    assert peer.agreement.terms["version"] == "1.0"
    await peer.ping()


async def test_linking_with_oneself_is_refused(network: Network, a: Company) -> None:
    code = await invite(a)
    with pytest.raises(Refused, match="own_invitation"):
        await accept(a, code)
    assert await links_of(a) == []


async def test_a_request_in_the_inviters_own_name_is_refused(network: Network, a: Company) -> None:
    """Somebody holds the keys of A and a code of A."""
    peer = FakePeer.of(network, "Двойник")
    peer.keys = replace(
        peer.keys,
        identity=a.hub.keys.identity,
        message=a.hub.keys.message,
        http=a.hub.keys.http,
    )
    said = await peer.ask(a, await invite(a))
    assert said.code == "malformed"
    assert await links_of(a) == []


# --- who holds the code -----------------------------------------------------------------------


async def test_five_wrong_proofs_kill_the_invitation_and_alarm(
    network: Network, a: Company
) -> None:
    code = await invite(a)
    for n in range(5):
        assert await kinds(a) == []
        guesser = FakePeer.of(network, f"Взломщик {n}")
        said = await guesser.ask(a, code, wrong_secret=True)
        assert (said.status, said.code) == (422, "mac_invalid")
    assert await kinds(a) == ["invitation_dead"]
    for wrong in (True, False):
        said = await FakePeer.of(network, "Опоздавший").ask(a, code, wrong_secret=wrong)
        assert (said.status, said.code) == (410, "invite_expired")
    assert await links_of(a) == []


async def test_four_wrong_proofs_do_not_keep_the_right_one_out(
    network: Network, a: Company
) -> None:
    code = await invite(a)
    for _ in range(4):
        await FakePeer.of(network, "Взломщик").ask(a, code, wrong_secret=True)
    said = await FakePeer.of(network, "Приглашённый").ask(a, code)
    assert said.status == 202


async def test_wrong_proofs_after_the_linking_do_not_stop_its_partner(
    network: Network, a: Company
) -> None:
    code = await invite(a)
    right = FakePeer.of(network, "Приглашённый")
    body = right.link_request(code, inviter_id=a.hub.account.node_id)
    call = right.signed("POST", "/txp/v1/link-requests", body, base=a.settings.url)
    first = await right.send(call, a)
    for _ in range(7):
        await FakePeer.of(network, "Взломщик").ask(a, code, wrong_secret=True)
    again = await right.send(call, a)
    assert (again.status, again.members) == (first.status, first.members)


@pytest.mark.parametrize("changed_part", ["offer", "nonce", "key_set", "invitation", "identity"])
async def test_a_proof_holds_for_this_very_request_only(
    network: Network, a: Company, changed_part: str
) -> None:
    """Somebody on the line takes a request and makes it their own."""
    from hub.protocol import jws

    code, other = await invite(a), await invite(a)
    right, thief = FakePeer.of(network, "Приглашённый"), FakePeer.of(network, "Вор")
    body = right.link_request(code, inviter_id=a.hub.account.node_id)
    members = json.loads(jws.peek(json.loads(body)["request"]).payload)
    members |= {
        "offer": {"offer": right.offer_text(name="Вор")},
        "nonce": {"nonce": b64url(bytes(16))},
        "key_set": {"key_set": thief.key_set_jws},
        "invitation": {"invitation": codes.decode(other).id},
        "identity": {"identity": thief.keys.identity.public.jwk, "key_set": thief.key_set_jws},
    }[changed_part]
    signer = thief if changed_part == "identity" else right
    text = jws.sign(jws.Typ.LINK, strict_json.dump(members).encode(), signer.keys.identity)
    said = await signer.send(
        signer.signed(
            "POST",
            "/txp/v1/link-requests",
            strict_json.dump({"request": text}).encode(),
            base=a.settings.url,
        ),
        a,
    )
    assert said.status in {400, 401, 422}, said
    assert await links_of(a) == []


async def test_the_same_invitee_repeating_its_request_gets_the_same_answer(
    network: Network, a: Company
) -> None:
    code = await invite(a)
    peer = FakePeer.of(network, "Приглашённый")
    first = await peer.ask(a, code)
    before = await stored(a.hub)
    for _ in range(3):
        network.clock.advance(hours=30)
        again = await peer.ask(a, code)
        assert (again.status, again.members) == (202, first.members)
    assert changed(before, await stored(a.hub)) == []


async def test_the_same_invitee_with_another_offer_is_told_that_the_code_is_used(
    network: Network, a: Company
) -> None:
    code = await invite(a)
    peer = FakePeer.of(network, "Приглашённый")
    await peer.ask(a, code)
    said = await peer.ask(a, code, offer_text=peer.offer_text(name="Иначе"))
    assert (said.status, said.code) == (409, "invite_used")


async def test_another_invitee_with_the_same_code_is_told_that_it_is_used(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    await FakePeer.of(network, "Первый").ask(a, code)
    with pytest.raises(Refused, match="invite_used"):
        await accept(b, code)
    assert len(await links_of(a)) == 1


async def test_a_code_is_used_up_by_a_finished_link(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a)
    link = await accept(b, code)
    await confirm(b, link.id)
    await exchange(b, link.id)
    with pytest.raises(Conflict, match="already_linked"):
        await accept(b, code)
    assert len(await links_of(b)) == len(await links_of(a)) == 1


async def test_a_handshake_given_up_by_the_inviter_cannot_be_finished(
    network: Network, a: Company, b: Company
) -> None:
    code = await invite(a, compare=True)
    link = await accept(b, code)
    await invitations.void(a.hub, a.dispatcher, link.id, "передумали")
    network.wire.doors[a.settings.url].forget_keys()
    await confirm(b, link.id)
    with pytest.raises(HubError):
        await exchange(b, link.id)
    await patience(network)
    assert (await only_link(a)).state is LinkState.VOID
    assert (await only_link(b)).state is LinkState.AWAITING_CONFIRMATION
    with pytest.raises(Refused, match="invite_used"):
        await accept(b, code)


OFFERS: dict[str, Callable[[FakePeer], str]] = {
    "empty": lambda _p: "{}",
    "a base url that is none": lambda p: p.offer_text(base_url="ftp://x"),
    "a base url with a user": lambda p: p.offer_text(base_url="https://a@b.example"),
    "a number for a base url": lambda p: p.offer_text(base_url=7),
    "no name": lambda p: p.offer_text(name=""),
    "a name of blanks": lambda p: p.offer_text(name="   "),
    "a name too long": lambda p: p.offer_text(name="x" * 201),
    "a list for a name": lambda p: p.offer_text(name=["x"]),
    "versions that are a number": lambda p: p.offer_text(versions=1),
    "limits that are a list": lambda p: p.offer_text(limits=[1]),
    "limits that are no numbers": lambda p: p.offer_text(limits={"file_bytes": "many"}),
    "scopes that are a text": lambda p: p.offer_text(scopes="all"),
    "scopes that are empty": lambda p: p.offer_text(scopes={}),
    "scopes nobody knows": lambda p: p.offer_text(scopes={"as_king": {}}),
}


@pytest.mark.parametrize("how", OFFERS)
async def test_an_offer_that_cannot_be_read_makes_no_link_and_no_traceback(
    standing: Network, how: str
) -> None:
    a = standing.companies["Сервис Плюс"]
    peer = FakePeer.of(standing, "Странный")
    code = await invite(a)
    before = await stored(a.hub)
    said = await peer.ask(a, code, offer_text=OFFERS[how](peer))
    assert said.status in {400, 403, 422}, said
    assert changed(before, await stored(a.hub)) == []
    assert (await FakePeer.of(standing, how).ask(a, code)).status == 202


# --- an inviter that cheats -------------------------------------------------------------------


def _offer_with(members: dict[str, Any], role: str, **other: Any) -> None:
    offer = json.loads(members[role])
    members[role] = strict_json.dump({**offer, **other})


def _party(members: dict[str, Any], role: str, **other: Any) -> None:
    members[role] = replace(members[role], **other)


def _direction(members: dict[str, Any], which: str, **other: Any) -> None:
    members["terms"]["directions"][which] |= other


def _other_key() -> Any:
    return PrivateKey.generate(SeededEntropy("other")).public


ALTERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "our offer": lambda m: _offer_with(m, "invitee_offer", name="Другие"),
    "our scopes": lambda m: _offer_with(m, "invitee_offer", scopes=default_offer().to_data() | {}
                                        | {"as_contractor": {}}),
    "a space in our offer": lambda m: m.update(invitee_offer=m["invitee_offer"] + " "),
    "our name": lambda m: _party(m, "invitee", name="Другие"),
    "our address": lambda m: _party(m, "invitee", base_url="https://evil.example"),
    "our identity": lambda m: _party(m, "invitee", identity=_other_key()),
    "our node": lambda m: _party(m, "invitee", node_id=_other_key().kid),
    "our key set": lambda m: _party(m, "invitee", key_set_version=9),
    "its name": lambda m: _party(m, "inviter", name="Сбербанк"),
    "its address": lambda m: _party(m, "inviter", base_url="https://evil.example"),
    "its identity": lambda m: _party(m, "inviter", identity=_other_key()),
    "its node": lambda m: _party(m, "inviter", node_id=_other_key().kid),
    "its key set": lambda m: _party(m, "inviter", key_set_version=9),
    "its offer's address": lambda m: _offer_with(m, "inviter_offer",
                                                 base_url="https://evil.example"),
    "its offer is no offer": lambda m: m.update(inviter_offer="{}"),
    "more files than both offered": lambda m: _direction(m, "inviter_to_invitee", max_files=10_000),
    "hand-offs the other way only": lambda m: _direction(m, "invitee_to_inviter", hand_off=False),
    "another warranty": lambda m: _direction(m, "inviter_to_invitee", warranty_days=9999),
    "more disclosed": lambda m: _direction(m, "invitee_to_inviter", disclose=["asset", "contact"]),
    "a direction more": lambda m: m["terms"]["directions"].update(sideways={}),
    "a term more": lambda m: m["terms"].update(fee=100),
    "a term less": lambda m: m["terms"].pop("limits"),
    "a capability nobody has": lambda m: m["terms"].update(capabilities=["files", "telepathy"]),
    "other limits": lambda m: m["terms"]["limits"].update(file_bytes=1),
    "another legal text": lambda m: m.update(legal=sha256_b64(b"all your tickets")),
    "another revision": lambda m: m.update(revision=2),
}  # fmt: skip


@pytest.mark.parametrize("how", ALTERED)
@pytest.mark.parametrize("signs", [True, False])
async def test_an_agreement_the_inviter_altered_is_refused_by_the_invitee(
    standing: Network, how: str, *, signs: bool
) -> None:
    a = standing.companies["Сервис Плюс"]
    peer = FakePeer.of(standing, f"Хитрец: {how} {signs}")
    peer.alter = ALTERED[how]
    # It cannot sign as a party that it is not.
    peer.sign_as_inviter = signs and how != "its identity"
    with pytest.raises(HubError) as refused:
        await accept(a, peer.invite())
    assert refused.value.code in {"agreement_mismatch", "malformed", "scopes_invalid"}
    (link,) = [one for one in await links_of(a) if one.peer_node_id == peer.node_id]
    assert (link.agreement, link.our_signature) == (None, None)
    with pytest.raises(Conflict, match="no_agreement_yet"):
        await confirm(a, link.id)


async def test_an_agreement_with_another_signature_is_refused(network: Network, a: Company) -> None:
    peer, other = FakePeer.of(network, "Хитрец"), FakePeer.of(network, "Другой")
    right = peer.answer
    codes_of_other = other.invite()

    async def answer(call: Call) -> Reply:
        reply = await right(call)
        if call.target != "/txp/v1/link-requests":
            return reply
        members = json.loads(reply.body)
        signature = await _a_signature_of(other, a, codes_of_other)
        return peer.reply(call, 202, {**members, "signature": signature})

    peer.answer = answer  # type: ignore[method-assign]
    with pytest.raises(Untrusted):
        await accept(a, peer.invite())
    assert {link.agreement is None for link in await links_of(a) if link.peer_name == "Хитрец"} == {
        True
    }


async def _a_signature_of(other: FakePeer, a: Company, code: str) -> str:
    if other.agreement is None:
        await accept(a, code)
    assert other.agreement is not None
    return agreements.sign(other.agreement, other.keys.identity)


async def test_an_inviter_that_changes_its_agreement_on_repetition_is_refused(
    network: Network, a: Company
) -> None:
    peer = FakePeer.of(network, "Хитрец")
    code = peer.invite()
    link = await accept(a, code)
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        await accept(a, code)  # it gives another link id, which is another text
    assert (await only_link(a)).agreement == link.agreement


async def test_an_inviter_cannot_take_the_id_of_a_link_with_somebody_else(
    network: Network, a: Company
) -> None:
    friend, peer = FakePeer.of(network, "Друг"), FakePeer.of(network, "Хитрец")
    await friend.link_with(a)
    peer.alter = lambda members: members.update(link=friend.link_id)
    with pytest.raises(Untrusted, match="agreement_mismatch"):
        await accept(a, peer.invite())
    assert len(await links_of(a)) == 2
    await friend.ping()


@pytest.mark.parametrize("part", ["signature of another text", "signature by another", "garbage"])
async def test_a_signature_that_is_not_of_this_agreement_activates_nothing(
    network: Network, a: Company, part: str
) -> None:
    peer = FakePeer.of(network, "Приглашённый")
    said = await peer.ask(a, await invite(a))
    peer.take(a, said.members["agreement"])
    assert peer.agreement is not None
    other = agreements.compose(
        link=peer.agreement.link,
        made_at=peer.agreement.made_at + timedelta(seconds=1),
        inviter=peer.agreement.inviter,
        invitee=peer.agreement.invitee,
        inviter_offer=peer.agreement.inviter_offer,
        invitee_offer=peer.agreement.invitee_offer,
        terms=peer.agreement.terms,
        legal=peer.agreement.legal,
    )
    signature = {
        "signature of another text": agreements.sign(other, peer.keys.identity),
        "signature by another": said.members["signature"],  # A's own, given back
        "garbage": "a.b.c",
    }[part]
    body = strict_json.dump({"signature": signature}).encode()
    before = await stored(a.hub)
    refused = await peer.call("PUT", f"{peer.path}/agreement", body)
    assert refused.status in {400, 401, 409}, refused
    assert changed(before, await stored(a.hub)) == []
    right = await peer.call("PUT", f"{peer.path}/agreement", peer.own_signature())
    assert right.status == 200
    await peer.ping()


async def test_messages_before_the_agreement_is_signed_are_not_taken(
    network: Network, a: Company
) -> None:
    peer = FakePeer.of(network, "Торопливый")
    said = await peer.ask(a, await invite(a))
    peer.take(a, said.members["agreement"])
    before = await stored(a.hub)
    message = peer.message("handoff.offer", peer.offer_data(), handoff=peer.new_id("hnd"))
    refused = await peer.post(message)
    assert (refused.status, refused.code) == (404, "not_found")
    assert changed(before, await stored(a.hub)) == []
    await peer.call("PUT", f"{peer.path}/agreement", peer.own_signature())
    assert (await peer.post(message)).status == 200


# --- comparing the digits ---------------------------------------------------------------------


async def test_with_compare_the_link_waits_for_the_inviters_people(
    network: Network, a: Company, b: Company
) -> None:
    link = await accept(b, await invite(a, compare=True))
    assert link.peer_signature is None
    assert await kinds(a) == ["compare_digits"]
    await confirm(b, link.id)
    assert (await exchange(b, link.id)).state is LinkState.AWAITING_CONFIRMATION
    await patience(network)
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.AWAITING_CONFIRMATION] * 2
    assert (await confirm(a, link.id)).state is LinkState.ACTIVE
    assert await kinds(a) == []
    await patience(network)
    assert (await only_link(b)).state is LinkState.ACTIVE
    await works(network, a, b, link.id)


async def test_with_compare_the_invitee_becomes_active_by_the_inviters_call(
    network: Network, a: Company, b: Company
) -> None:
    link = await accept(b, await invite(a, compare=True))
    assert (await confirm(a, link.id)).state is not LinkState.ACTIVE
    assert (await only_link(b)).state is LinkState.REQUESTED
    assert (await exchange(a, link.id)).state is not LinkState.ACTIVE
    assert (await only_link(b)).our_signature is None
    await confirm(b, link.id)
    network.wire.fault = lambda caller, *_: "drop_request" if caller == b.settings.url else None
    await patience(network)
    assert (await only_link(b)).state is LinkState.AWAITING_CONFIRMATION
    assert (await exchange(a, link.id)).state is LinkState.ACTIVE
    assert (await only_link(b)).state is LinkState.ACTIVE
    network.wire.fault = lambda *_: None
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.ACTIVE] * 2
    await works(network, a, b, link.id)


async def test_what_the_inviter_says_before_the_invitee_knows_of_it_is_not_lost(
    network: Network, a: Company, b: Company
) -> None:
    link = await accept(b, await invite(a, compare=True))
    await confirm(b, link.id)
    await exchange(b, link.id)
    network.wire.fault = lambda caller, *_: "drop_reply" if caller == b.settings.url else None
    await confirm(a, link.id)
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Сразу"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link.id))
    await patience(network)
    network.wire.fault = lambda *_: None
    await patience(network)
    assert (await only_link(b)).state is LinkState.ACTIVE
    assert await b.hub.db.read(lambda c: kept_handoffs.find(c, handoff_id)) is not None


# --- breaks in the middle ---------------------------------------------------------------------

CALLS = ["GET /.well-known/txp", "POST link-requests", "PUT agreement"]


def _at_first(method: str, what: str, times: int) -> Callable[[str, str, str], str | None]:
    left = times

    def fault(_caller: str, said: str, _url: str) -> str | None:
        nonlocal left
        if said != method or left == 0:
            return None
        left -= 1
        return what

    return fault


async def _with_patience(step: Callable[[], Any]) -> Any:
    """A person who tries again until it works."""
    for _ in range(6):
        try:
            return await step()
        except Unavailable:
            continue
    raise AssertionError("it never works")


@pytest.mark.parametrize("compare", [False, True])
@pytest.mark.parametrize("what", ["drop_request", "drop_reply", "duplicate"])
@pytest.mark.parametrize("call", CALLS)
async def test_a_handshake_broken_at_any_call_is_taken_up_again_and_ends_active_on_both_sides(
    network: Network, a: Company, b: Company, call: str, what: str, *, compare: bool
) -> None:
    code = await invite(a, compare=compare)
    network.wire.fault = _at_first(call.partition(" ")[0], what, 2)
    link = await _with_patience(lambda: accept(b, code))
    await confirm(b, link.id)
    if compare:
        await confirm(a, link.id)
    await patience(network)
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.ACTIVE] * 2
    assert (await only_link(a)).agreement == (await only_link(b)).agreement


@pytest.mark.parametrize("who", ["inviter", "invitee"])
@pytest.mark.parametrize("when", ["before the request", "before the signature"])
async def test_a_node_that_is_away_for_an_hour_finishes_the_handshake_when_it_is_back(
    network: Network, a: Company, b: Company, when: str, who: str
) -> None:
    away = (a if who == "inviter" else b).settings.url
    code = await invite(a)
    if when == "before the request":
        network.wire.down.add(away)
        with pytest.raises(Unavailable):
            await accept(b, code)
        network.clock.advance(hours=1)
        network.wire.down.clear()
    link = await accept(b, code)
    network.wire.down.add(away)
    await confirm(b, link.id)
    for _ in range(4):
        await network.run_until_idle()
        network.clock.advance(minutes=15)
    assert (await only_link(a)).state is not LinkState.ACTIVE
    network.wire.down.clear()
    await patience(network)
    assert [(await only_link(one)).state for one in (a, b)] == [LinkState.ACTIVE] * 2
    await works(network, a, b, link.id)


async def test_a_lost_answer_leaves_nothing_active_on_one_side_that_is_void_on_the_other(
    network: Network, a: Company, b: Company
) -> None:
    """Who has given its signature away cannot take the handshake back: the peer may be active."""
    link = await accept(b, await invite(a))
    await confirm(b, link.id)
    network.wire.fault = lambda _c, method, _u: "drop_reply" if method == "PUT" else None
    with pytest.raises(Unavailable):
        await exchange(b, link.id)
    assert (await only_link(a)).state is LinkState.ACTIVE
    with pytest.raises(Conflict):
        await invitations.void(b.hub, b.dispatcher, link.id, "передумали")
    network.wire.fault = lambda *_: None
    await patience(network)
    assert (await only_link(b)).state is LinkState.ACTIVE


# --- many, renamed, replaced ------------------------------------------------------------------


async def test_a_hundred_links_with_terms_of_their_own_live_side_by_side(
    network: Network, a: Company
) -> None:
    peers = [FakePeer.of(network, f"Партнёр {n:03}") for n in range(100)]
    for n, peer in enumerate(peers):
        offer = offer_from_scopes({"as_contractor": {"max_open": n + 1, "warranty_days": n}})
        await peer.link_with(a, node_offer=offer)
    network.wire.doors[a.settings.url].forget_keys()
    assert len({peer.link_id for peer in peers}) == 100
    for n, peer in enumerate(peers):
        assert peer.agreement is not None
        terms = peer.agreement.terms["directions"]["invitee_to_inviter"]
        assert terms["warranty_days"] == n
        assert terms["max_open"] <= n + 1
        await peer.ping()
    before = await stored(a.hub)
    for n, peer in enumerate(peers[:20]):
        neighbour = peers[n + 1]
        said = await peer.call("GET", f"{neighbour.path}/log?dir=in")
        assert (said.status, said.code) == (401, "key_unknown")
    assert changed(before, await stored(a.hub)) == []
    # One offer more than the terms of this very link allow is declined.
    for n in (0, 2):
        handed = [await peers[n].offer() for _ in range(n + 2)]
        await a.turn()
        await a.turn()
        declined = [one.envelope.handoff for one in peers[n].told("handoff.decline")]
        assert declined == handed[-1:]
        assert peers[n].told("handoff.decline")[0].data["code"] == "capacity"


async def test_two_links_with_one_partner_are_kept_apart(
    network: Network, a: Company, b: Company
) -> None:
    first, second = [LinkId(await network.link(a, b)) for _ in range(2)]
    assert first != second
    await works(network, a, b, first)
    await works(network, b, a, second)


async def test_another_node_at_the_partners_address_gets_nothing_and_changes_nothing(
    network: Network, a: Company, b: Company
) -> None:
    """The machine was taken over, or set up anew: same address, other identity."""
    link_id = LinkId(await network.link(a, b))
    right = network.wire.doors[b.settings.url]
    impostor = FakePeer.of(network, "Самозванец")
    impostor.base_url = b.settings.url
    network.wire.doors[b.settings.url] = network.wire.doors.pop(
        next(url for url, door in network.wire.doors.items() if door is impostor)  # type: ignore[comparison-overlap]
    )

    def believes_nothing(call: Call) -> Reply | None:
        if call.target.endswith("/messages"):
            return impostor.reply(call, 200, {"receipt": "a.b.c"})
        return None

    impostor.script = believes_nothing
    ticket = await tickets.create(a.hub, a.dispatcher, tickets.NewTicket(title="Касса"))
    handoff_id = await handoffs.offer(a.hub, a.dispatcher, OfferHandoff(ticket.id, link_id))
    before = (await only_link(a)).peer_identity
    await patience(network)
    link = await only_link(a)
    assert (link.state, link.peer_identity) == (LinkState.ACTIVE, before)
    said = await impostor.send(
        impostor.signed("GET", f"/txp/v1/links/{link_id}/log?dir=in", base=a.settings.url), a
    )
    assert said.status == 401
    network.wire.doors[b.settings.url] = right
    await patience(network)
    assert await b.hub.db.read(lambda c: kept_handoffs.find(c, handoff_id)) is not None


@pytest.mark.parametrize("half", ["inviter", "invitee"])
async def test_another_identity_at_a_known_address_is_an_alarm_never_an_update(
    network: Network, a: Company, half: str
) -> None:
    old = FakePeer.of(network, "Мастер-Юг")
    await old.link_with(a)
    fresh = FakePeer.of(network, "Мастер-Юг (новый)")
    fresh.base_url = old.base_url
    network.wire.doors[old.base_url] = fresh  # type: ignore[assignment]
    pinned = {link.id: link.peer_identity for link in await links_of(a)}
    assert await kinds(a) == []
    if half == "inviter":
        assert (await fresh.ask(a, await invite(a))).status == 202
    else:
        await accept(a, fresh.invite())
    assert await kinds(a) == ["identity_changed"]
    after = {link.id: link.peer_identity for link in await links_of(a)}
    assert {link_id: after[link_id] for link_id in pinned} == pinned


async def test_a_second_link_with_the_same_node_is_no_alarm(
    network: Network, a: Company, b: Company
) -> None:
    for _ in range(2):
        await network.link(a, b)
    assert await kinds(a) == await kinds(b) == []


async def test_what_a_partner_calls_itself_cannot_change_the_pinned_name(
    network: Network, a: Company
) -> None:
    peer = FakePeer.of(network, "Мастер-Юг")
    await peer.link_with(a)
    peer.name = "Сбербанк"
    handoff_id = await peer.offer()
    await peer.say("comment.add", peer.comment_data(), handoff=handoff_id)
    await network.run_until_idle()
    assert (await only_link(a)).peer_name == "Мастер-Юг"
