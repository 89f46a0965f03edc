"""What the node of a partner without one would do by itself: take, pass on, receipt, fetch.

Each kind of link has one *voice*, which carries our messages to the partner in its own way. A
message is receipted when the voice has handed it over, in order: what waits is shown as waiting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from hub.actions import custody, files, holds, inbox, outbox
from hub.actions.context import Hub
from hub.ids import LinkId
from hub.storage import attachments, custodies, deliveries, ground, links, nodes, streams
from hub.storage import outbox as stored
from hub.storage.database import Connection, Overtaken, Tx
from hub.storage.links import Link, LinkKind
from hub.storage.outbox import OutboxRow

AT_ONCE: Final = 50  # messages passed on in one turn of a link


class Voice(Protocol):
    """How one kind of partner hears what we say."""

    def tell(self, tx: Tx, hub: Hub, link: Link, row: OutboxRow, now: datetime) -> None:
        """Have this message of ours told; once. `row.data` is there."""
        ...

    def resumes(
        self, tx: Tx, hub: Hub, link: Link, rows: Sequence[OutboxRow], now: datetime
    ) -> None:
        """After a restore: have these told that were not, but nothing that may have been before."""
        ...

    def untold(self, connection: Connection, message_ids: Collection[str]) -> set[str]:
        """Those of them that are still on their way to the partner."""
        ...


Voices = Mapping[LinkKind, Voice]


async def due(hub: Hub, voices: Voices) -> list[LinkId]:
    """Links in custody for which something is to be done."""

    def body(connection: Connection) -> list[LinkId]:
        found: list[LinkId] = []
        everyone = custodies.everyone(connection)
        if not everyone:
            return found
        wanted = {one.link_id for one in attachments.open_fetches(connection)}
        for link_id in everyone:
            stream = streams.get(connection, link_id)
            link = links.get(connection, link_id)
            if stream is None or link.kind not in voices:
                continue
            behind = stream.out_seq > stream.receipted_seq
            if behind or not stream.synced or link.keys_call or link_id in wanted:
                found.append(link_id)
        return found

    return await hub.db.glance(body)


async def attend(hub: Hub, link_id: LinkId, voices: Voices) -> bool:
    """Do for one link what its partner's node would do; whether there is more at once."""
    await _resume(hub, link_id, voices)

    def transaction(tx: Tx) -> bool:
        now = hub.now()
        upto = custodies.get(tx.connection, link_id).told_seq
        rows = stored.after(tx.connection, link_id, upto, AT_ONCE)
        named = [row.handoff_id for row in rows if row.handoff_id is not None]
        ground.of_handoffs(tx, *named, beside=[link_id])
        link = links.lock(tx, link_id)
        stream = streams.lock(tx, link_id)
        if custodies.get(tx.connection, link_id).told_seq != upto:
            raise Overtaken  # another process passed them on meanwhile
        if not stream.synced:
            # Both halves are in this database, so both were put back to one place.
            streams.change(tx, link_id, synced=True)
            holds.released_if_synced(tx, hub, now)
        if link.keys_call:
            links.change(tx, link_id, keys_call=False)  # it reads our keys where we keep them
        voice = voices[link.kind]
        for row in rows:
            if row.data is not None:
                voice.tell(tx, hub, link, row, now)
        if rows:
            custodies.change(tx, link_id, told_seq=rows[-1].seq)
        _receipt(tx, hub, link, voice, now)
        return len(rows) == AT_ONCE

    more = await hub.db.write(transaction)
    await _take_files(hub, link_id)
    return more


async def _resume(hub: Hub, link_id: LinkId, voices: Voices) -> None:
    """Where the node was restored: go on behind everything that may have been said since."""

    def is_restored(connection: Connection) -> bool:
        stream = streams.get(connection, link_id)
        held = nodes.held_at(connection) is not None
        return stream is not None and held and not stream.synced

    def transaction(tx: Tx) -> None:
        now = hub.now()
        ground.of_handoffs(tx, whole=link_id)
        link = links.lock(tx, link_id)
        if not is_restored(tx.connection):
            return  # another process did it meanwhile
        firm = streams.lock(tx, link_id).firm_seq
        streams.change(tx, link_id, synced=True)
        custody.begin_epochs(tx, hub, link, now)
        rows = stored.after(tx.connection, link_id, firm, stored.ALL)
        voices[link.kind].resumes(tx, hub, link, [one for one in rows if one.data], now)
        custodies.change(tx, link_id, told_seq=max([firm, *(one.seq for one in rows)]))
        holds.released_if_synced(tx, hub, now)

    if await hub.db.glance(is_restored):
        await hub.db.write(transaction)
        await inbox.apply_some(hub, link_id)


def _receipt(tx: Tx, hub: Hub, link: Link, voice: Voice, now: datetime) -> None:
    """Receipt what was told, up to the first message that is still on its way."""
    stream = streams.lock(tx, link.id)
    told = custodies.get(tx.connection, link.id).told_seq
    rows = [
        row
        for row in stored.after(tx.connection, link.id, stream.receipted_seq, 4 * AT_ONCE)
        if row.seq <= told
    ]
    untold = voice.untold(tx.connection, [row.id for row in rows])
    upto = stream.receipted_seq
    for row in rows:
        if row.id in untold:
            break
        upto = row.seq
    if upto > stream.receipted_seq:
        text = custody.receipt(tx, hub, link, upto, now)
        outbox.record_receipt_in(tx, hub, link.id, text, handed_in=True)
        deliveries.collected(tx, link.id, now)


async def _take_files(hub: Hub, link_id: LinkId) -> None:
    """The files that the partner named are in the store already: they came with its words."""
    wanted = await hub.db.glance(
        lambda connection: [
            one for one in attachments.open_fetches(connection) if one.link_id == link_id
        ]
    )
    for one in wanted:
        if hub.blobs.has(one.sha256):
            await files.fetched(hub, one)
        else:
            await files.fetch_gone(hub, one, "gone")
