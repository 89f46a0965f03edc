"""Our half of a sync: ask the peer where it stands, take back what we lost, begin an epoch.

A node that nobody can call also makes the calls of the other half, see hub/actions/turns.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from hub.actions import peers, syncing
from hub.actions.context import Hub
from hub.actions.epochs import Own
from hub.actions.syncing import Known
from hub.errors import Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.federation import calls
from hub.federation.client import PeerTransport
from hub.federation.key_calls import ask_if_unknown
from hub.ids import LinkId
from hub.protocol.members import Members
from hub.protocol.message import MAX_BATCH, dump_batch, read_messages
from hub.protocol.sync import (
    NewEpoch,
    Place,
    Standing,
    Turn,
    dump_noted,
    dump_sync,
    read_sync,
    read_turn,
)


async def synchronize(hub: Hub, transport: PeerTransport, link_id: LinkId) -> bool:
    """Bring one link in order; whether it is in use now. A failure is noted for the next try."""
    keys = await peers.keys(hub, link_id)
    if keys is None:
        return False
    session = _Session(hub, transport, keys)
    try:
        await session.run()
        if hub.account.outbound_only:
            await session.make_their_calls()
    except (Refused, Untrusted, Unavailable) as error:
        if error.code == "clone_detected":
            await syncing.held_as_clone(hub, link_id)
        await syncing.record_failure(hub, link_id, error)
        await ask_if_unknown(hub, transport, keys, error)
        return False
    return True


class _Session:
    """One sync with one peer."""

    def __init__(self, hub: Hub, transport: PeerTransport, keys: peers.PeerKeys) -> None:
        self._hub = hub
        self._transport = transport
        self._keys = keys
        self._link_id = keys.link_id
        self._base = f"{keys.peer_base_url}/txp/v1/links/{keys.link_id}"

    async def run(self) -> None:
        """From the first question to the new epoch. Raises what stopped it; nothing is lost."""
        hub, link_id = self._hub, self._link_id
        ours = await syncing.standing(hub, link_id)
        if ours.synced:
            return  # it became so since it was seen to be due; an epoch too many would strand it
        theirs = await self._ask(ours)
        fault("sync.asked")
        taken = await self._take_back(theirs.held)
        ours, begin = await syncing.propose(hub, link_id, theirs, taken)
        theirs = await self._ask(ours, begin)
        fault("sync.noted")
        await syncing.finish(hub, link_id, theirs, begin, taken)
        if taken:
            await self._fetch_receipts(taken[0].envelope.seq)

    async def make_their_calls(self) -> None:
        """Where the peer is not synced and waits for us: hand back, note down, say so.

        Raises what stopped it; nothing is lost.
        """
        hub, link_id = self._hub, self._link_id
        theirs, turn = await self._question()
        for _ in range(_MOST_TURNS):
            if turn is None:
                return
            if turn.lost_from is not None:
                await self._hand_back(turn.lost_from)
                theirs, turn = await self._question()
                continue
            if turn.begin is None:
                raise Untrusted("malformed", "The partner does not say what it waits for.")
            try:
                await syncing.answer(hub, link_id, theirs, turn.begin)
            except Refused as error:
                if error.code == "clone_detected":
                    await self._question({"refused": error.code})
                raise
            fault("sync.their_epoch_noted")
            theirs, turn = await self._question(dump_noted(turn.begin))
        raise Unavailable("sync_required", "The partner's node does not come to an end of it.")

    async def _question(
        self, more: dict[str, object] | None = None
    ) -> tuple[Standing, Turn | None]:
        ours = await syncing.standing(self._hub, self._link_id)
        said = await self._call("POST", "/sync", members=dump_sync(ours) | (more or {}))
        return read_sync(said)[0], read_turn(said)

    async def _hand_back(self, start: int) -> None:
        """Give the peer its own messages from there on, as we hold them."""
        hub, link_id = self._hub, self._link_id
        first = start
        held = (await syncing.standing(hub, link_id)).held.seq
        while start <= held:
            page = await peers.log(hub, link_id, ours=False, start=start, limit=MAX_BATCH)
            said = await self._call("POST", "/log", raw=dump_batch(page))
            following = Members(said, "log").number("from", 1)
            if following == start:
                raise Untrusted("malformed", "The partner asks for the same again.")
            start, first = following, min(first, following)
        texts = await peers.issued_receipts(hub, link_id, first)
        for at in range(0, len(texts), _RECEIPTS_IN_A_CALL):
            some = texts[at : at + _RECEIPTS_IN_A_CALL]
            await self._call("POST", "/receipts", members={"receipts": some})

    async def _call(self, method: str, path: str, **how: object) -> dict[str, object]:
        said = await calls.call(
            self._hub,
            self._transport,
            method,
            self._base + path,
            calls.pinned(self._hub, self._keys),
            **how,  # type: ignore[arg-type]
        )
        if (problem := said.problem) is not None:
            raise problem
        return said.members

    async def _ask(self, ours: Standing, begin: NewEpoch | None = None) -> Standing:
        said = await self._call("POST", "/sync", members=dump_sync(ours, begin))
        return read_sync(said)[0]

    async def _take_back(self, held: Place) -> list[Own]:
        """What the peer holds of our messages and we do not have."""
        hub, link_id = self._hub, self._link_id
        known = await syncing.compare(hub, link_id, held)
        if known is None:
            return []
        while True:
            try:
                log = [own async for own in self._log(known, held)]
            except _OtherHistory:
                # Both sides were put back: what we know from before does not count either.
                if known.seq == 0:
                    raise Untrusted(
                        "env_invalid", "The log of the partner does not hold together."
                    ) from None
                known = await syncing.known_before(hub, link_id, known.seq - MAX_BATCH)
                continue
            return await syncing.lost(hub, link_id, log)

    async def _log(self, known: Known, held: Place) -> AsyncIterator[Own]:
        """Our own messages behind a place we know, as the peer holds them; each proven."""
        link = await peers.link(self._hub, self._link_id)
        after = known
        while after.seq < held.seq:
            said = await self._call("GET", f"/log?dir=out&from={after.seq + 1}&limit={MAX_BATCH}")
            page = read_messages(said)
            if not page:
                raise Unavailable("log_incomplete", "The partner's log ends before its own place.")
            for wire in page:
                if after.seq == held.seq:
                    break
                own = syncing.open_own(self._hub, link, wire)
                if own.envelope.seq != after.seq + 1 or own.envelope.prev != after.hash:
                    raise _OtherHistory
                after = Known(own.envelope.seq, own.hash)
                yield own
        if after.hash != held.head:
            raise _OtherHistory

    async def _fetch_receipts(self, start: int) -> None:
        said = await self._call("GET", f"/receipts?from={start}")
        texts = Members(said, "receipts").array("receipts", 200)
        await syncing.keep_receipts(
            self._hub, self._link_id, [text for text in texts if isinstance(text, str)]
        )


_RECEIPTS_IN_A_CALL: Final = 20  # however large each is
_MOST_TURNS: Final = 5  # of one sync: each ends a step, and a step is begun anew at most once


class _OtherHistory(Exception):  # noqa: N818 - what was found
    """The peer's copy of our log does not follow from the place we compared at."""
