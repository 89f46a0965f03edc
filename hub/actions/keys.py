"""Our keys change: rotation, revocation, another identity key.

Each change is a new key set, signed by the identity key. Keys and set are put on disk first, as
one file, then the database and every stream learn of them in one transaction. A process that
dies between the two leaves keys on disk that the database does not know; whoever opens the node
next goes on from there (`finish`), so a change is made once or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hub.actions import keyring, outgoing, permits
from hub.actions import outbox as delivery
from hub.actions.context import SYSTEM, Actor, Hub
from hub.actions.nodes import KEY_SET_VALIDITY
from hub.actions.runs import SYNC_TOPIC
from hub.domain.disclosure import link_view
from hub.domain.permission import Permission
from hub.errors import Conflict, NotFound, Refused
from hub.faults import fault
from hub.ids import LinkId
from hub.protocol import jws, receipts, signing
from hub.protocol.keys import (
    MAX_EARLIER,
    MAX_KEYS,
    MAX_KEYS_CALL,
    MAX_REVOKED,
    KeyEntry,
    KeySet,
    KeyUse,
    PrivateKey,
    RevokedKey,
    open_key_set,
    seal_key_set,
)
from hub.protocol.succession import MAX_SUCCESSIONS, seal_succession
from hub.storage import audit, deliveries, ground, links, nodes, outbox, own_keys, streams
from hub.storage.database import Connection, Tx
from hub.storage.keyring import Opened
from hub.storage.keystore import Generation
from hub.storage.links import Link, LinkState
from hub.storage.own_keys import Announced

_LIVE = frozenset({LinkState.ACTIVE, LinkState.SUSPENDED})


def uses_of(word: str) -> frozenset[KeyUse]:
    """The uses a person names: `msg`, `http` or `all`."""
    return frozenset(KeyUse) if word == "all" else frozenset({KeyUse(word)})


async def rotate(hub: Hub, actor: Actor, uses: frozenset[KeyUse]) -> KeySet:
    """Replace the keys of these uses; partners learn it in the stream and nothing stands still.

    Raises Conflict(rotation_under_way), Misconfigured where keys cannot be written.
    """
    permits.require(actor, Permission.ADMIN)
    opened = await _ready(hub)
    now = hub.now()
    made = {use: PrivateKey.generate(hub.entropy) for use in uses}
    key_set = _next_set(hub, opened, now, made)
    await _change(hub, actor, opened, key_set, made, now)
    return key_set


async def revoke(hub: Hub, actor: Actor, kid: str, reason: str) -> KeySet:
    """Call off a key that others may have: partners are told at once, by a call of its own.

    Every link is suspended until a person on each side confirms. Raises NotFound(key_unknown),
    Refused(identity_compromised | reason_missing), Conflict(already_revoked).
    """
    permits.require(actor, Permission.ADMIN)
    if not reason.strip():
        raise Refused("reason_missing", "Say why the key is revoked: partners see it.")
    opened = await _ready(hub)
    use = _use_of(opened, kid)
    now = hub.now()
    current = {KeyUse.MSG: opened.keys.message.kid, KeyUse.HTTP: opened.keys.http.kid}
    made = {} if current[use] != kid else {use: PrivateKey.generate(hub.entropy)}
    key_set = _next_set(hub, opened, now, made, RevokedKey(kid, reason.strip()[:200]))
    await _change(hub, actor, opened, key_set, made, now)
    return key_set


async def replace_identity(hub: Hub, actor: Actor) -> KeySet:
    """Another identity key, vouched for by the one before. The node keeps its id.

    Open invitations name the old one and cannot be used any more.
    """
    permits.require(actor, Permission.ADMIN)
    opened = await _ready(hub)
    now = hub.now()
    old, new = opened.keys.identity, PrivateKey.generate(hub.entropy)
    version = opened.key_set.identity_version + 1
    if version > MAX_SUCCESSIONS:
        raise Refused("identity_worn_out", "The identity key was changed too often.")
    texts = seal_succession(hub.account.node_id, version, old, new, now)
    key_set = replace(_next_set(hub, opened, now, {}), identity_version=version)
    await _change(hub, actor, opened, key_set, {}, now, identity=new, texts=texts)
    return key_set


async def finish(hub: Hub) -> None:
    """Go on with a change of keys that is on disk and not in the database."""
    hub.ring.reload()
    await hub.db.write(lambda tx: _publish(tx, hub, SYSTEM, hub.now()))


async def refresh(hub: Hub) -> bool:
    """Work with the newest keys, whichever process made them; whether there were any."""
    if await hub.db.glance(partial(_newest, hub=hub)) <= hub.ring.opened.version:
        return False
    hub.ring.reload()
    return True


async def settle(hub: Hub) -> None:
    """Bring what is on disk and what the database knows together, whichever is ahead.

    A change that the database did not take (a full disk, a server gone) is at work here already:
    partners must hear of it without waiting for a start.
    """
    known = await hub.db.glance(partial(_newest, hub=hub))
    if known > hub.ring.opened.version:
        hub.ring.reload()
    elif known < hub.ring.opened.version:
        await finish(hub)


def _newest(connection: Connection, *, hub: Hub) -> int:
    """The newest key set that the database knows."""
    return max(nodes.key_sets_of(connection, hub.account.node_id))


async def _ready(hub: Hub) -> Opened:
    """The newest keys, with nothing left open of an earlier change."""
    hub.ring.reload()
    if await hub.db.read(partial(_newest, hub=hub)) < hub.ring.opened.version:
        await finish(hub)
    return hub.ring.opened


def _next_set(
    hub: Hub,
    opened: Opened,
    now: datetime,
    made: dict[KeyUse, PrivateKey],
    revoked: RevokedKey | None = None,
) -> KeySet:
    """The key set that follows; older http keys stay in it for the overlap."""
    last = opened.key_set
    gone = (*last.revoked, *((revoked,) if revoked else ()))[-MAX_REVOKED:]
    until = now + KEY_SET_VALIDITY
    entries: list[KeyEntry] = []
    for use in (KeyUse.MSG, KeyUse.HTTP):
        kept = last.only(use)
        new = made.get(use)
        if new is not None:
            # The newest by this date is the one to sign with.
            begins = max(now, kept.not_before + timedelta(milliseconds=1))
            entries.append(KeyEntry(new.kid, new.public, use, begins, until))
        else:
            entries.append(kept)
    named = {entry.kid for entry in entries} | {one.kid for one in gone}
    ends = now + timedelta(days=hub.limits.http_key_overlap_days)
    older = [
        replace(entry, not_after=min(entry.not_after, ends))
        for entry in last.keys
        # A message key ends by position; a partner that pinned it keeps it for what it sealed.
        if entry.use is KeyUse.HTTP and entry.kid not in named and entry.not_after > now
    ]
    return KeySet(
        node_id=last.node_id,
        version=last.version + 1,
        identity_version=last.identity_version,
        keys=(*entries, *older[: MAX_KEYS - len(entries)]),
        revoked=gone,
        issued_at=now,
        expires=until,
    )


def _use_of(opened: Opened, kid: str) -> KeyUse:
    """What a key of ours is for, if it can be called off."""
    if opened.key_set.is_revoked(kid):
        raise Conflict("already_revoked", "This key was revoked before.")
    for key_set in opened.sets.values():
        for entry in key_set.keys:
            if entry.kid == kid:
                return entry.use
    if opened.keys.signer(kid) is not None:
        raise Refused(
            "identity_compromised",
            "An identity key cannot be revoked: what it signs is what partners know us by.",
            hint="Call the partners, close the links, make a new node and link anew.",
        )
    raise NotFound("key_unknown", "This node has no key {kid}.", hint="hub key list", kid=kid)


async def _change(
    hub: Hub,
    actor: Actor,
    opened: Opened,
    key_set: KeySet,
    made: dict[KeyUse, PrivateKey],
    now: datetime,
    *,
    identity: PrivateKey | None = None,
    texts: tuple[str, ...] = (),
) -> None:
    """Put the change on disk, then let database and partners know."""
    signer = identity or opened.keys.identity
    signed = seal_key_set(key_set, signer)
    open_key_set(signed, signer.public)  # what cannot be read again must not get to the disk
    hub.ring.add(
        Generation(
            version=key_set.version,
            key_set=signed,
            message=made.get(KeyUse.MSG),
            http=made.get(KeyUse.HTTP),
            identity=identity,
            succession=(*opened.keys.succession, *texts),
        )
    )
    fault("keys.on_disk")
    await hub.db.write(lambda tx: _publish(tx, hub, actor, now))
    fault("keys.committed")


def _publish(tx: Tx, hub: Hub, actor: Actor, now: datetime) -> None:
    """Store every key set the database does not have; announce the newest on every link."""
    opened = hub.ring.opened
    ground.of_all_links(tx)
    kept = nodes.key_sets_of(tx.connection, hub.account.node_id)
    fresh = [version for version in sorted(opened.sets) if version not in kept]
    if not fresh:
        return  # another process was faster
    revoked: list[RevokedKey] = []
    for version in fresh:
        key_set = opened.sets[version]
        before = {one.kid for one in opened.sets[version - 1].revoked}
        revoked += [one for one in key_set.revoked if one.kid not in before]
        nodes.keep_key_set(tx, hub.account.node_id, version, opened.texts[version], now)
        audit.append(
            tx,
            at=now,
            actor=actor.ref,
            event="keys.changed",
            version=version,
            identity_version=key_set.identity_version,
            keys=[entry.kid for entry in key_set.keys],
            revoked=[one.kid for one in key_set.revoked if one.kid not in before],
            **_identity_of(opened, version),
        )
    for link in links.in_states(tx.connection, _LIVE):
        if revoked:
            _call_off(tx, hub, link, revoked, now)
        announce(tx, hub, link, now)
    fault("keys.announced")
    tx.wake(keyring.KEYS_TOPIC)


def _identity_of(opened: Opened, version: int) -> dict[str, str]:
    """The identity key that this key set brought, where it brought one."""
    found = [one.identity for one in opened.keys.generations if one.version == version]
    return {"identity": found[0].kid} if found and found[0] is not None else {}


def announce(tx: Tx, hub: Hub, link: Link, now: datetime) -> None:
    """Queue our newest key set for this peer; what is sealed behind it is under its message key.

    Nothing where it was announced or agreed on this link before.
    """
    opened = hub.ring.opened
    known = {one.version for one in own_keys.of_link(tx.connection, link.id)}
    if opened.version in known or (opened.version == 1 and not known):
        return
    said = {"key_set": opened.key_set_jws, "succession": list(opened.keys.succession) or None}
    message_id = outgoing.send(tx, hub, link, link_view("link.keys", said), now=now)
    own_keys.add(tx, link.id, opened.version, opened.key_set.only(KeyUse.MSG).kid, str(message_id))


def _call_off(tx: Tx, hub: Hub, link: Link, revoked: list[RevokedKey], now: datetime) -> None:
    """Tell this peer by a call of its own, and stop the exchange until people have confirmed."""
    links.change(tx, link.id, keys_call=True, suspended_by_us=True, state=LinkState.SUSPENDED)
    outgoing.alarm(
        tx,
        hub,
        "keys_revoked",
        link.id,
        "We revoked a key ({reason}). Confirm with {peer} by telephone, then resume the link.",
        now,
        peer=link.peer_name,
        reason=revoked[-1].reason,
    )


# --- telling a peer by a call -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Telling:
    """What to tell one peer about our keys, by a call of its own."""

    link: Link
    key_set: str
    succession: tuple[str, ...]
    version: int
    upto: (
        int  # our last message the peer ever gave a receipt for: we vouch for everything up to here
    )
    head: str
    earlier: tuple[str, ...]  # the sets before it that sealed on this link, oldest first

    @property
    def members(self) -> dict[str, Any]:
        """As it travels."""
        members: dict[str, Any] = {"key_set": self.key_set, "upto": self.upto, "head": self.head}
        if self.succession:
            members["succession"] = list(self.succession)
        if self.earlier:
            members["earlier"] = list(self.earlier)
        return members


async def links_to_call(hub: Hub) -> list[LinkId]:
    """Links whose peer has to be told our keys by a call."""
    return await hub.db.glance(links.waiting_for_keys_call)


async def telling(hub: Hub, link_id: LinkId, *, asked: bool = False) -> Telling | None:
    """What to tell this peer; None where there is nothing to tell (any more).

    To a peer that has `asked` it is told in any case: it may have forgotten what it had taken.
    """

    def body(connection: Connection) -> Telling | None:
        link = links.get(connection, link_id)
        stream = streams.get(connection, link_id)
        if stream is None or link.closed_at is not None or not (link.keys_call or asked):
            return None
        # Also what it had before it was restored: that is never signed again.
        row = outbox.at(connection, link_id, stream.firm_seq)
        assert link.agreement_hash is not None
        opened = hub.ring.opened
        return Telling(
            link=link,
            key_set=opened.key_set_jws,
            succession=opened.keys.succession,
            version=opened.version,
            upto=0 if row is None else row.seq,
            head=link.agreement_hash if row is None else row.hash,
            earlier=_earlier(opened, own_keys.of_link(connection, link_id)),
        )

    return await hub.db.read(body)


def _earlier(opened: Opened, known: Sequence[Announced]) -> tuple[str, ...]:
    """The older sets that brought a message key to this link, as many as a call has room for.

    A restored peer may know none of them, and each may have sealed what only it can open, its own
    announcement among it. Of too many the newest are told.
    """
    room = MAX_KEYS_CALL - len(opened.key_set_jws) - sum(map(len, opened.keys.succession)) - 1024
    found: list[str] = []
    told = {opened.key_set.only(KeyUse.MSG).kid}
    for one in sorted(known, key=lambda one: one.version, reverse=True):
        text = opened.texts.get(one.version)
        if one.kid in told or one.announced_by is None or text is None:
            continue  # whom the agreement told, nothing can make forget it
        room -= len(text) + len('"",')
        if room < 0 or len(found) == MAX_EARLIER:
            break
        told.add(one.kid)
        found.append(text)
    return tuple(reversed(found))


async def told(hub: Hub, said: Telling, receipt_text: str, contested: int) -> None:
    """The peer has taken our keys and says how far it has our stream.

    What it stored without our knowing (its receipt was lost) is vouched for by another call.
    Messages in our name that are not ours keep the link suspended. What the peer has not
    stored, and a revoked key had sealed, is sealed again. Raises Untrusted for another's receipt.
    """

    def transaction(tx: Tx) -> None:
        now = hub.now()
        link = links.lock(tx, said.link.id)
        key = delivery.msg_key(tx, link.id, jws.peek(receipt_text).kid)
        receipt = receipts.open_receipt(receipt_text, key, link=link.id, of=hub.account.node_id)
        stream = streams.lock(tx, link.id)
        row = outbox.at(tx.connection, link.id, receipt.upto)
        # Before a sync we do not know our own log whole: the call is made once more behind it.
        synced = stream.synced
        ours = synced and receipt.head == (link.agreement_hash if row is None else row.hash)
        if synced and not ours and contested:
            outgoing.alarm(
                tx,
                hub,
                "keys_misused",
                link.id,
                "{peer} has messages in our name that we did not write. Close the link and make "
                "a new one; both logs are kept as proof.",
                now,
                peer=link.peer_name,
            )
        if ours and receipt.epoch == stream.out_epoch and receipt.upto > stream.receipted_seq:
            outbox.settle_upto(tx, link.id, stream.receipted_seq, receipt.upto, now)
            streams.change(
                tx,
                link.id,
                receipted_seq=receipt.upto,
                receipted_max=max(stream.firm_seq, receipt.upto),
            )
            streams.keep_receipt(
                tx,
                link.id,
                "received",
                epoch=receipt.epoch,
                upto=receipt.upto,
                jws=receipt_text,
                at=now,
            )
        # Once more where the peer still holds something as contested that we now know is ours.
        again = contested > 0 and (not synced or (ours and receipt.upto > said.upto))
        newest = hub.ring.opened.version == said.version
        links.change(tx, link.id, told_version=said.version, keys_call=again or not newest)
        open_from = max(receipt.upto, stream.firm_seq)  # behind that it can be sealed again
        if ours and not again and _sealed_in_vain(tx, hub, link.id, open_from, said.version):
            # What the peer has not stored is signed anew, as after a start: in a new epoch.
            streams.change(tx, link.id, synced=False)
            tx.wake(SYNC_TOPIC)
        audit.append(
            tx,
            at=now,
            actor=link.peer_node_id,
            event="keys.told",
            link=link.id,
            version=said.version,
            contested=contested,
        )
        deliveries.let_try(tx, link.id)  # what it refused for want of them
        tx.wake(keyring.KEYS_TOPIC)
        tx.wake(outgoing.deliver_topic(link.id))

    await hub.db.write(transaction)


def _sealed_in_vain(tx: Tx, hub: Hub, link_id: str, seq: int, told: int) -> bool:
    """Whether a message behind this position is under a key the peer will not take it under.

    One that was revoked since, or one between what the stream had brought and the set that the
    call brought: such an announcement comes too late to pin anything.
    """
    taken = {hub.ring.opened.sets[told].only(KeyUse.MSG).kid}
    late = set[str]()
    for one in own_keys.of_link(tx.connection, link_id):
        known_there = one.begins is not None and one.begins <= seq
        (taken if known_there or one.version >= told else late).add(one.kid)
    rows = outbox.after(tx.connection, link_id, seq, outbox.ALL)
    kids = {signing.peek_kid(row.env) for row in rows}
    return any(kid in late - taken or hub.key_set.is_revoked(kid) for kid in kids)
