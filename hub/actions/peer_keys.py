"""The keys of a peer change: what its own identity key signed is taken, everything else is told.

Keys come in two ways only. `link.keys` stands in the peer's stream: it takes effect right behind
its own position, also for messages behind it in the same batch. A call to `…/keys` comes beside
the stream: by it keys are revoked, and a node that lost our memory or whose memory we lost is
known again. Neither is believed unless the pinned identity key signed the key set, or one that
followed it by a statement both have signed. A message never brings a key just by naming it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.actions import keyring, outgoing
from hub.actions.context import Hub
from hub.errors import HubError, Refused, Untrusted
from hub.ids import LinkId
from hub.protocol import receipts
from hub.protocol.encoding import is_hash
from hub.protocol.keys import MAX_EARLIER, KeySet, KeyUse, PublicKey, open_key_set
from hub.protocol.node_document import NodeDocument
from hub.protocol.receipts import Receipt
from hub.protocol.signing import VerifiedMessage
from hub.protocol.succession import follow, open_successions
from hub.storage import audit, ground, inbox, links, nodes, streams
from hub.storage.database import Connection, Tx
from hub.storage.inbox import InboxRow
from hub.storage.links import Link, LinkKey, LinkState


@dataclass(frozen=True, slots=True)
class Announcement:
    """A peer's key set, proven to be its own."""

    key_set: KeySet
    text: str
    identity: PublicKey  # that signed it: the pinned one, or one that followed it
    succession: tuple[str, ...]  # how it followed


def open_announcement(
    pinned: PublicKey, node_id: str, text: object, succession: object = ()
) -> Announcement:
    """The key set, if it is this peer's. Raises Untrusted for anything else."""
    said = succession or ()
    if not isinstance(text, str) or not isinstance(said, Sequence):
        raise Untrusted("malformed", "What was received does not follow the protocol.")
    texts = tuple(map(str, said))
    identity = follow(pinned, node_id, texts)[-1]
    key_set = open_key_set(text, identity)
    if key_set.node_id != node_id:
        raise Untrusted("signature_invalid", "The keys are another node's.")
    key_set.only(KeyUse.MSG)
    key_set.only(KeyUse.HTTP)
    return Announcement(key_set, text, identity, texts)


def announced_keys(
    pinned: PublicKey, node_id: str, said: Mapping[str, Any]
) -> dict[str, PublicKey]:
    """The message keys to try on what stands behind this `link.keys` in the same batch.

    Only to try: whether one holds at a position is decided where the messages are stored.
    """
    try:
        made = open_announcement(pinned, node_id, said.get("key_set"), said.get("succession"))
    except Untrusted:
        return {}
    return {one.kid: one.key for one in made.key_set.keys if one.use is KeyUse.MSG}


def peer_identity(link: Link) -> PublicKey:
    """The identity key pinned for the peer."""
    return PublicKey.from_jwk(json.loads(link.peer_identity))


# --- by position ------------------------------------------------------------------------------


def check_position(
    tx: Tx, hub: Hub, link: Link, kid: str, seq: int, now: datetime
) -> Untrusted | None:
    """None if this key of the peer seals at this position; else why nothing of it is taken.

    A key that held earlier, or was called off, and speaks up again is an alarm. But what it had
    sealed, and its owner vouches for, may come back to a node that lost it.
    """
    for key in links.keys(tx.connection, link.id):
        if key.kid != kid or key.use != "msg":
            continue
        if key.seals(seq) and (key.revoked_at is None or _comes_back(tx, key, seq)):
            return None
        outgoing.alarm(
            tx,
            hub,
            "keys_misused",
            link.id,
            "A message in the name of {peer} is signed by a key that is not in force any more. "
            "Nothing of it was taken.",
            now,
            peer=link.peer_name,
            kid=kid,
        )
        if key.revoked_at is not None:
            return Untrusted("key_revoked", "The message is signed by a revoked key.", because=kid)
        break
    return Untrusted("key_unknown", "The message is signed by an unknown key.", because=kid)


def _comes_back(tx: Tx, key: LinkKey, seq: int) -> bool:
    vouched = key.trusted_seq or 0
    return inbox.last_seq(tx.connection, key.link_id) < seq <= vouched


def take_by_position(tx: Tx, hub: Hub, link: Link, one: VerifiedMessage, now: datetime) -> Link:
    """A `link.keys` is being stored: from behind it on the new message key seals.

    The link as it is then. What is not the peer's own is an alarm and changes nothing; the
    message is stored all the same and refused when it is applied.
    """
    said = one.data
    try:
        made = _announced_in_stream(tx, link, said)
        _check_version(tx, link, made)
        if made.key_set.version < link.peer_key_set_version:
            # Overtaken on its way by a call with a later set. What stands behind it may be sealed
            # by it all the same: we had it before we were restored, and it is never signed again.
            _keep(tx, link, made, now)
            _seals_beside(tx, link, made, one.envelope.seq)
            return link
    except Untrusted as error:
        _alarm(tx, hub, link, error, now)
        return link
    seq = one.envelope.seq
    message = made.key_set.only(KeyUse.MSG)
    pinned = {key.kid: key for key in links.keys(tx.connection, link.id)}
    if message.kid not in pinned:
        _pin_message_key(tx, link.id, message.kid, message.key, seq + 1)
    for key in pinned.values():
        if key.use == "msg" and key.kid != message.kid and key.until_seq is None:
            links.change_key(tx, link.id, key.kid, until_seq=seq)
    return _take(tx, link, made, pinned, now)


def _seals_beside(tx: Tx, link: Link, made: Announcement, seq: int) -> None:
    """From behind this position on the overtaken set's message key seals too, unless revoked.

    It ends with the others where the stream brings a newer set: also one that a call had let seal
    only what we lost, for what the peer says behind that was sealed before it told us anything.
    """
    message = made.key_set.only(KeyUse.MSG)
    text = nodes.key_sets_of(tx.connection, link.peer_node_id)[link.peer_key_set_version]
    newest = open_key_set(text, peer_identity(link))
    pinned = {key.kid for key in links.keys(tx.connection, link.id)}
    if newest.is_revoked(message.kid):
        return
    if message.kid not in pinned:
        _pin_message_key(tx, link.id, message.kid, message.key, seq + 1)
    else:
        links.change_key(tx, link.id, message.kid, until_seq=None)


def _announced_in_stream(tx: Tx, link: Link, said: Mapping[str, Any]) -> Announcement:
    """What a `link.keys` brings. Raises Untrusted for what no identity of the peer signed.

    After a restore we may know the newest identity first, by a call; then the stream brings what
    those before it signed. It is the peer's own, and older than what is in force.
    """
    how = link.peer_node_id, said.get("key_set"), said.get("succession")
    pinned = peer_identity(link)
    try:
        return open_announcement(pinned, *how)
    except Untrusted:
        changes = nodes.successions_of(tx.connection, link.peer_node_id)
        for former in _former_identities(link.peer_node_id, pinned, changes):
            with contextlib.suppress(Untrusted):
                made = open_announcement(former, *how)
                if made.key_set.version < link.peer_key_set_version:
                    return made
        raise


def _former_identities(
    node_id: str, newest: PublicKey, successions: Sequence[Sequence[str]]
) -> list[PublicKey]:
    """The identity keys that are proven to have led to this one, newest first."""
    changes = {
        one.new.kid: one.old
        for texts in successions
        for one in open_successions(texts)
        if one.node_id == node_id
    }
    found, kid = list[PublicKey](), newest.kid
    while (former := changes.pop(kid, None)) is not None:
        found.append(former)
        kid = former.kid
    return found


def _earlier(tx: Tx, link: Link, made: Announcement, said: object) -> list[KeySet]:
    """Older key sets of the peer that such a call brings along. Raises Untrusted for others."""
    if not isinstance(said, list) or len(said) > MAX_EARLIER:
        raise Untrusted("malformed", "What was received does not follow the protocol.")
    kept = nodes.key_sets_of(tx.connection, link.peer_node_id)
    changes = [*nodes.successions_of(tx.connection, link.peer_node_id), made.succession]
    identities = [made.identity, *_former_identities(link.peer_node_id, made.identity, changes)]
    found: list[KeySet] = []
    for text in said:
        one = _signed_by_any(text, identities)
        if one.node_id != link.peer_node_id or one.version >= made.key_set.version:
            raise Untrusted("malformed", "The key set is no earlier one of this node.")
        if kept.get(one.version, text) != text:
            raise Untrusted("malformed", "There are two key sets of one version.")
        found.append(one)
    return found


def _signed_by_any(text: object, identities: Sequence[PublicKey]) -> KeySet:
    if isinstance(text, str):
        for identity in identities:
            with contextlib.suppress(Untrusted):
                return open_key_set(text, identity)
    raise Untrusted("signature_invalid", "No identity of the node signed this key set.")


def was_taken(tx: Tx, link: Link, said: Mapping[str, Any], seq: int) -> bool:
    """Whether the key set in this stored `link.keys` is the peer's, and told for the first time."""
    kept = nodes.key_sets_of(tx.connection, link.peer_node_id)
    text = said.get("key_set")
    version = next((one for one, known in kept.items() if known == text), None)
    if version is None:
        return False
    # The newest one again changes nothing; an older one again is a replay.
    return version == link.peer_key_set_version or not inbox.said_before(
        tx.connection, link.id, "link.keys", seq, json.dumps(text)
    )


def receive(
    tx: Tx, hub: Hub, link: Link, row: InboxRow, said: Mapping[str, Any], now: datetime
) -> None:
    """A `link.keys` is applied: its effect began when it was stored, people may look it up.

    Raises Refused(scope_denied) where it had none.
    """
    if not was_taken(tx, link, said, row.seq):
        raise Refused("scope_denied", "These keys are not signed by the identity we know.")
    _note(tx, link, now)


def _note(tx: Tx, link: Link, now: datetime, **facts: object) -> None:
    audit.append(
        tx,
        at=now,
        actor=link.peer_node_id,
        event="link.keys",
        link=link.id,
        version=link.peer_key_set_version,
        **facts,
    )


def _check_version(tx: Tx, link: Link, made: Announcement) -> None:
    """Return if the set is new to us, or the very one we know under its version."""
    version = made.key_set.version
    known = nodes.key_sets_of(tx.connection, link.peer_node_id).get(version)
    if known is not None and known != made.text:
        raise Untrusted("malformed", "There are two key sets of one version.")
    if known is None and version == link.peer_key_set_version:
        raise Untrusted("malformed", "The key set is not newer than the one we know.")
    if known is not None and version < link.peer_key_set_version:
        raise Untrusted("malformed", "An old key set was sent again.")


def _keep(tx: Tx, link: Link, made: Announcement, now: datetime) -> None:
    version = made.key_set.version
    if version not in nodes.key_sets_of(tx.connection, link.peer_node_id):
        nodes.keep_key_set(tx, link.peer_node_id, version, made.text, now, made.succession)


def _take(
    tx: Tx, link: Link, made: Announcement, pinned: Mapping[str, LinkKey], now: datetime
) -> Link:
    """Pin what binds from now on: identity, version, http keys by their dates, revocations."""
    _keep(tx, link, made, now)
    key_set = made.key_set
    listed = {entry.kid: entry for entry in key_set.keys if entry.use is KeyUse.HTTP}
    for entry in listed.values():
        if entry.kid in pinned:
            links.change_key(tx, link.id, entry.kid, not_after=entry.not_after)
        elif not key_set.is_revoked(entry.kid):
            links.add_key(
                tx,
                LinkKey(
                    link_id=link.id,
                    kid=entry.kid,
                    use="http",
                    jwk=json.dumps(entry.key.jwk),
                    from_seq=1,
                    until_seq=None,
                    not_after=entry.not_after,
                ),
            )
    for key in pinned.values():
        if key_set.is_revoked(key.kid) and key.revoked_at is None:
            links.change_key(tx, link.id, key.kid, revoked_at=now)
        elif key.use == "http" and key.kid not in listed and (key.not_after or now) >= now:
            links.change_key(tx, link.id, key.kid, not_after=now)
    links.change(
        tx,
        link.id,
        peer_identity=json.dumps(made.identity.jwk),
        peer_key_set_version=max(key_set.version, link.peer_key_set_version),
    )
    return links.get(tx.connection, link.id)


def _pin_message_key(tx: Tx, link_id: LinkId, kid: str, key: PublicKey, from_seq: int) -> None:
    links.add_key(
        tx,
        LinkKey(
            link_id=link_id,
            kid=kid,
            use="msg",
            jwk=json.dumps(key.jwk),
            from_seq=from_seq,
            until_seq=None,
            not_after=None,
        ),
    )


def _alarm(tx: Tx, hub: Hub, link: Link, error: HubError, now: datetime) -> None:
    outgoing.alarm(
        tx,
        hub,
        "keys_refused",
        link.id,
        "Keys in the name of {peer} were refused: its identity key did not sign them, or they are "
        "old. Ask {peer} by telephone.",
        now,
        peer=link.peer_name,
    )
    audit.append(
        tx,
        at=now,
        actor=link.peer_node_id,
        event="keys.refused",
        link=link.id,
        because=error.because or error.code,
    )


# --- by a call of its own ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """What we answer to a peer that told us its keys by a call."""

    version: int
    receipt: str  # how far we have its stream
    contested: int  # messages beyond what it vouches for, under a key it revoked


def proven(pinned: PublicKey, node_id: str, said: Mapping[str, Any]) -> Announcement:
    """What such a call brings, before anything is looked up. Raises Untrusted."""
    return open_announcement(pinned, node_id, said.get("key_set"), said.get("succession"))


async def refused_call(hub: Hub, link_id: LinkId, error: HubError) -> None:
    """Somebody brought keys in a peer's name that are not its own: people must see it."""

    def transaction(tx: Tx) -> None:
        ground.of_links(tx, link_id)
        link = links.find(tx.connection, link_id)
        known = {(one.kind, one.subject) for one in audit.open_alerts(tx.connection)}
        # A stranger may call as often as it likes: told once.
        if link is not None and ("keys_refused", str(link_id)) not in known:
            _alarm(tx, hub, link, error, hub.now())

    await hub.db.write(transaction)


async def receive_call(hub: Hub, link_id: LinkId, said: Mapping[str, Any]) -> Taken:
    """A peer tells us its keys beside the stream, and up to where it vouches for its messages.

    Whatever it revoked is not believed any more from now on; what we stored under such a key
    beyond `upto` is contested: kept, shown, and if it was not applied yet, not applied. The
    link is suspended until our people resume it. Repeated, it changes nothing but `upto`. Where
    we lost what is in front of `upto`, the keys of earlier sets it brings seal that once more.
    Raises Untrusted; Refused(not_found).
    """
    upto, head = said.get("upto"), said.get("head")
    if type(upto) is not int or upto < 0 or not isinstance(head, str) or not is_hash(head):
        raise Untrusted("malformed", "The request does not follow the protocol.")

    def transaction(tx: Tx) -> Taken | Untrusted:
        now = hub.now()
        link = links.lock(tx, link_id)
        if link.state not in {LinkState.ACTIVE, LinkState.SUSPENDED}:
            raise Refused("not_found", "There is no such link.")
        made = proven(peer_identity(link), link.peer_node_id, said)
        try:
            _check_version(tx, link, made)
            if made.key_set.version < link.peer_key_set_version:
                raise Untrusted("malformed", "The key set is older than the one we know.")
            earlier = _earlier(tx, link, made, said.get("earlier", []))
        except Untrusted as error:
            _alarm(tx, hub, link, error, now)
            return error  # committed with the alarm
        return _receive_call(tx, hub, link, made, earlier, upto, head, now)

    outcome = await hub.db.write(transaction)
    if isinstance(outcome, Untrusted):
        raise outcome
    return outcome


def _receive_call(
    tx: Tx,
    hub: Hub,
    link: Link,
    made: Announcement,
    earlier: Sequence[KeySet],
    upto: int,
    head: str,
    now: datetime,
) -> Taken:
    stream = streams.lock(tx, link.id)
    pinned = {key.kid: key for key in links.keys(tx.connection, link.id)}
    fresh = [
        key
        for key in pinned.values()
        if made.key_set.is_revoked(key.kid) and key.revoked_at is None
    ]
    known = link.peer_key_set_version
    link = _take(tx, link, made, pinned, now)
    if link.peer_key_set_version > known:
        _note(tx, link, now, beside=True)
    message = made.key_set.only(KeyUse.MSG)
    if message.kid not in pinned:
        _pin_message_key(tx, link.id, message.kid, message.key, stream.in_seq + 1)
    vouched = _vouched(tx, link, upto, head, stream.in_seq)
    news = _pin_between(tx, link, made, earlier, stream.in_seq, vouched, now)
    contested = 0
    for key in pinned.values():
        if key.use != "msg" or not made.key_set.is_revoked(key.kid):
            continue
        # What it vouches for beyond our log we had before we were restored: it comes back.
        until = max(stream.in_seq, vouched) if key.until_seq is None else key.until_seq
        if key in fresh:
            links.change_key(tx, link.id, key.kid, until_seq=until, trusted_seq=min(vouched, until))
        elif key.trusted_seq is not None and vouched > key.trusted_seq:
            links.change_key(tx, link.id, key.kid, trusted_seq=min(vouched, until))
        first = max(key.from_seq, vouched + 1)
        contested += max(0, until - first + 1)
    if fresh or news:
        _suspend(tx, hub, link, contested, now)
    if contested == 0:
        audit.resolve_alerts(tx, kind="messages_contested", subject=link.id, at=now)
        tx.wake(outgoing.apply_topic(link.id))
    receipt = receipts.seal_receipt(
        Receipt(
            link=link.id,
            of=link.peer_node_id,
            epoch=stream.in_epoch,
            upto=stream.in_seq,
            head=stream.in_head,
            handoffs={},
            at=now,
        ),
        keyring.receipt_key(tx, hub, link),
    )
    return Taken(made.key_set.version, receipt, contested)


def _pin_between(
    tx: Tx,
    link: Link,
    made: Announcement,
    earlier: Sequence[KeySet],
    in_seq: int,
    vouched: int,
    now: datetime,
) -> bool:
    """Let the keys of earlier sets seal what we lost; whether one of them was revoked since.

    Such a key may have sealed its own announcement, which therefore brings it too late.
    """
    pinned = {key.kid for key in links.keys(tx.connection, link.id)}
    revoked = False
    for key_set in earlier if vouched > in_seq else ():
        message = key_set.only(KeyUse.MSG)
        if message.kid in pinned:
            continue
        pinned.add(message.kid)
        _pin_message_key(tx, link.id, message.kid, message.key, in_seq + 1)
        links.change_key(tx, link.id, message.kid, until_seq=vouched)
        if made.key_set.is_revoked(message.kid):
            revoked = True
            links.change_key(tx, link.id, message.kid, revoked_at=now, trusted_seq=vouched)
    return revoked


def _vouched(tx: Tx, link: Link, upto: int, head: str, in_seq: int) -> int:
    """Up to which of our stored messages the peer's word reaches: what it has a receipt for."""
    if upto > in_seq:
        return upto  # we were restored and lost some; sync brings them back
    row = inbox.at(tx.connection, link.id, upto) if upto else None
    stored = link.agreement_hash if row is None else row.hash
    return upto if stored == head else 0


def _suspend(tx: Tx, hub: Hub, link: Link, contested: int, now: datetime) -> None:
    links.change(tx, link.id, suspended_by_us=True, state=LinkState.SUSPENDED)
    outgoing.alarm(
        tx,
        hub,
        "peer_keys_revoked",
        link.id,
        "{peer} revoked a key that others may have. The link is suspended: confirm with {peer} by "
        "telephone, then resume it.",
        now,
        peer=link.peer_name,
    )
    if contested:
        outgoing.alarm(
            tx,
            hub,
            "messages_contested",
            link.id,
            "{count} messages in the name of {peer} came under the revoked key after the last one "
            "it vouches for. They are kept; ask {peer} whether they are its own.",
            now,
            peer=link.peer_name,
            count=contested,
        )
    audit.append(
        tx,
        at=now,
        actor=link.peer_node_id,
        event="keys.revoked",
        link=link.id,
        contested=contested,
    )


def contested_from(connection: Connection, link_id: str) -> int | None:
    """The first position whose message its sender does not vouch for; None where there is none."""
    return min(
        (
            max(key.from_seq, key.trusted_seq + 1)
            for key in links.keys(connection, link_id)
            if key.use == "msg"
            and key.trusted_seq is not None
            and key.until_seq is not None
            and key.trusted_seq < key.until_seq
        ),
        default=None,
    )


# --- looking ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compared:
    """What a look at the peer's document says. Nothing of it is ever taken over."""

    verdict: str  # same | succeeded (its old identity vouches for another) | different: an alarm
    pinned_version: int
    shown_version: int


async def compare(hub: Hub, link_id: LinkId, document: NodeDocument) -> Compared:
    """Compare what the node at the peer's address says of itself with what is pinned."""

    def transaction(tx: Tx) -> Compared:
        ground.of_links(tx, link_id)
        link = links.get(tx.connection, link_id)
        pinned = peer_identity(link)
        try:
            keys = follow(pinned, link.peer_node_id, document.succession)
        except Untrusted:
            keys = (pinned,)
        if document.node_id != link.peer_node_id or document.identity not in keys:
            verdict = "different"
            outgoing.alarm(
                tx,
                hub,
                "identity_changed",
                link.id,
                "Another node ({name}) answers at the address of {peer}. Ask {peer} by telephone.",
                hub.now(),
                peer=link.peer_name,
                name=document.name,
            )
        else:
            verdict = "same" if document.identity == pinned else "succeeded"
        return Compared(verdict, link.peer_key_set_version, document.key_set.version)

    return await hub.db.write(transaction)
