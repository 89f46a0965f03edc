"""Which of our keys speaks on a link, and where.

A *message key* seals by position: from right behind the `link.keys` that announces it, on this
link, to right behind the next one. `signing_key` looks that up; it is asked again whenever a
tail of the stream is signed anew, and gives the key that holds at the *new* position of each
message, because announcements are found where they stand then. So whoever signs a tail anew
first removes its old rows and then seals and stores the messages one after the other: what
stands in front of an announcement is sealed with the key before it, as the peer expects. A key
that was revoked never seals again; in its place the newest one does, which the peer has been
told by a call of its own before it takes anything more.

*Receipts* and *calls* are signed with the newest keys the peer is known to have: those of the
key set whose announcement it has receipted, or that it confirmed when it was called. The older
keys stay good for a while, so nothing stands still while an announcement is on its way; calls are
signed with an old one no longer than that.
"""

from __future__ import annotations

from hub.actions.context import Hub
from hub.errors import HubError, Untrusted
from hub.ids import LinkId
from hub.protocol.keys import KeySet, KeyUse, PrivateKey
from hub.protocol.signing import read_data
from hub.storage import links, own_keys, streams
from hub.storage.database import Connection, Tx
from hub.storage.links import Link
from hub.storage.own_keys import Announced

KEYS_TOPIC = "keys"
"""Woken when our keys were changed, or a peer has to be told of them."""

_UNKNOWN_THERE = 401  # the status of an answer to a call whose key is not known there


def signing_key(tx: Tx, hub: Hub, link_id: str, seq: int) -> PrivateKey:
    """The key that seals our message at this position of the link.

    Raises Misconfigured(keys_too_old) where the database knows of keys that are not on disk.
    """
    known = own_keys.of_link(tx.connection, link_id)
    opened = hub.ring.at_least(max((one.version for one in known), default=1))
    in_force = [one for one in known if one.begins is not None and one.begins < seq]
    newest = max(in_force, key=_begins) if in_force else None
    told = links.get(tx.connection, link_id).told_version if len(known) > 1 else None
    if told is not None and told in opened.sets and told > (newest.version if newest else 1):
        # The call was faster than the stream: by now the peer goes by this set alone.
        kid = opened.sets[told].only(KeyUse.MSG).kid
    elif newest is not None:
        kid = newest.kid
    else:
        # A link that is older than the first rotation began with the first key set.
        kid = opened.sets[1].only(KeyUse.MSG).kid if opened.version > 1 else opened.keys.message.kid
    if opened.key_set.is_revoked(kid):
        return opened.keys.message
    return hub.ring.signer(kid)


def _begins(one: Announced) -> tuple[int, int]:
    return (one.begins or 0, one.version)


def told_version(connection: Connection, link: Link) -> int:
    """The newest key set of ours that the peer of this link is known to have."""
    stream = streams.get(connection, link.id)
    reached = 0 if stream is None else stream.receipted_seq
    told = [
        one.version
        for one in own_keys.of_link(connection, link.id)
        if one.begins is not None and one.begins <= reached
    ]
    return max([link.told_version or 1, *told])


def http_key(hub: Hub, told: int) -> PrivateKey:
    """What calls to a peer and answers to it are signed with, who knows this key set of ours.

    After its overlap an old key says nothing to a peer that has the new ones; that we are not
    sure of it must not silence us. A peer that has them not asks for them, or is told.
    """
    old = _still_good(hub, told, KeyUse.HTTP)
    if old is not None:
        entry = hub.ring.opened.key_set.find(old.kid, KeyUse.HTTP)
        if entry is not None and hub.now() < entry.not_after:
            return old
    return hub.keys.http


def receipt_key(tx: Tx, hub: Hub, link: Link) -> PrivateKey:
    """What receipts for this peer are signed with."""
    return _still_good(hub, told_version(tx.connection, link), KeyUse.MSG) or hub.keys.message


def _still_good(hub: Hub, told: int, use: KeyUse) -> PrivateKey | None:
    opened = hub.ring.at_least(told)
    try:
        kid = opened.sets[told].only(use).kid
    except (KeyError, Untrusted):
        return None
    return None if opened.key_set.is_revoked(kid) else hub.ring.signer(kid)


def agreed(tx: Tx, link_id: str, key_set: KeySet) -> None:
    """The agreement of a new link names this key set of ours."""
    own_keys.add(tx, link_id, key_set.version, key_set.only(KeyUse.MSG).kid, None)


def taken_back(tx: Tx, hub: Hub, link_id: str, message_id: str, seq: int, data: str) -> None:
    """A `link.keys` of ours that we had lost came back from the peer and is in the outbox again.

    Call it in the transaction that stores the row, before anything is sealed behind it: the
    peer has it, so what follows is sealed with the key it announced.
    """
    text = read_data(data)["key_set"]
    opened = hub.ring.opened
    version = next((one for one, kept in opened.texts.items() if kept == text), None)
    if version is None:
        hub.ring.reload()
        opened = hub.ring.opened
        version = next((one for one, kept in opened.texts.items() if kept == text), None)
    if version is None:
        hub.ring.at_least(opened.version + 1)  # says that the keys on disk are too old
        return
    known = {one.version: one for one in own_keys.of_link(tx.connection, link_id)}
    if version not in known:
        kid = opened.sets[version].only(KeyUse.MSG).kid
        own_keys.add(tx, link_id, version, kid, message_id)
        return
    queued_again = known[version].seq is None or (known[version].seq or 0) > seq
    if known[version].announced_by is not None and queued_again:
        own_keys.change(tx, link_id, version, message_id)


def heed_answer(tx: Tx, hub: Hub, link_id: LinkId, error: HubError) -> None:
    """Where a peer does not know a key we called or signed with, tell it ours by a call of its own.

    A peer that was restored has forgotten them; so have we, after a restore, what it knows.
    Whoever does not know our http key cannot sign that it is so; its word costs no more than
    that call.
    """
    unknown = error.code == "key_unknown" or (
        error.code == "answer_unsigned" and error.facts.get("status") == _UNKNOWN_THERE
    )
    if unknown and hub.ring.opened.version > 1:
        links.change(tx, link_id, keys_call=True)
        tx.wake(KEYS_TOPIC)
