"""Collecting: how a node that nobody can call gets what its peers have for it.

It asks each peer and may wait for the answer; what comes is verified and stored exactly like
what others push, and the receipt is handed in. What the answer asks for beside it (our files,
that we take new keys) is done at once. The peer keeps a message until our receipt is there, so
a break anywhere brings it once more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hub.actions import outbox, peers, suspicions, syncing
from hub.actions.context import Hub
from hub.errors import HubError, NotFound, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.federation import calls, receive
from hub.federation.client import PeerTransport
from hub.federation.door import BYTES, MAX_PART
from hub.federation.key_calls import ask_if_unknown, ask_keys
from hub.federation.problems import problem_for
from hub.federation.sync import synchronize
from hub.ids import LinkId
from hub.protocol.members import Members
from hub.protocol.message import MAX_BATCH, WireMessage, read_messages

T = TypeVar("T")
_FILES_AT_ONCE: Final = 1000  # named by one answer
_ANSWER_S: Final = 15.0  # for an answer, beside the wait


class Stopped(Exception):  # noqa: N818 - what happened
    """The node stops while it waits for an answer."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one call brought."""

    news: bool
    failed: bool = False
    refusal: HubError | None = None  # the peer answered, and this is what stopped it
    files_failed: bool = False  # a file could not be pushed: not at once again


async def collect(
    hub: Hub,
    transport: PeerTransport,
    link_id: LinkId,
    *,
    wait_s: float = 0.0,
    with_files: bool = True,
    stop: asyncio.Event | None = None,
) -> Collected:
    """Ask this peer once what is for us. A failure is noted for the next try, and not raised.

    Raises Stopped as soon as `stop` is set while it waits.
    """
    keys = await peers.keys(hub, link_id)
    if keys is None:
        return Collected(news=False, failed=True)
    visit = _Visit(hub, transport, keys)
    try:
        found = await visit.collect(wait_s, stop, with_files=with_files)
    except (Refused, Untrusted, Unavailable) as error:
        if error.code == "sync_required":  # the peer was started anew, and waits for our calls
            synced = await synchronize(hub, transport, link_id)
            return Collected(news=synced, failed=not synced, refusal=None if synced else error)
        if await ask_if_unknown(hub, transport, keys, error):
            return Collected(news=True)
        if not await outbox.is_waiting(hub, link_id):  # a delivery at the same moment counted it
            await syncing.record_failure(hub, link_id, error)
        refusal = None if outbox.says_unreached(error.code) else error
        return Collected(news=False, failed=True, refusal=refusal)
    await outbox.reached(hub, link_id)
    return found


class _Visit:
    """One call to one peer, and what follows from its answer."""

    def __init__(self, hub: Hub, transport: PeerTransport, keys: peers.PeerKeys) -> None:
        self._hub = hub
        self._transport = transport
        self._keys = keys
        self._base = f"{keys.peer_base_url}/txp/v1/links/{keys.link_id}"

    async def collect(
        self, wait_s: float, stop: asyncio.Event | None, *, with_files: bool
    ) -> Collected:
        hub, link_id = self._hub, self._keys.link_id
        start = (await syncing.standing(hub, link_id)).held.seq + 1
        path = f"/log?dir=in&from={start}&limit={MAX_BATCH}&wait={int(wait_s)}"
        asked = self._call(
            "GET",
            path if with_files else f"{path}&files=no",
            timeout_s=wait_s + _ANSWER_S if wait_s else None,
        )
        said = await _unless(stop, asked)
        fault("collect.answered")
        if said.get("keys") is True:
            self._keys = await ask_keys(hub, self._transport, self._keys)
            return Collected(news=True)
        batch = read_messages(said)
        # What was here, or is void, is no news: asked for again at once it would come for ever.
        news = False
        if batch or (start > 1 and link_id not in hub.handed_in):
            news = await self._take(batch)
        pushed = True
        for one in Members(said, "log").array("files", _FILES_AT_ONCE) if "files" in said else ():
            wanted = Members(one, "log")
            pushed &= await self._push(wanted.digest("sha256"), wanted.number("have"))
        return Collected(news=news, files_failed=not pushed)

    async def _take(self, batch: Sequence[WireMessage]) -> bool:
        """Store what came, and hand in the receipt for all that is here; whether any was new."""
        hub, link_id = self._hub, self._keys.link_id

        async def fresh_keys() -> peers.PeerKeys:
            found = await peers.keys(hub, link_id)
            assert found is not None
            return found

        hub.handed_in.discard(link_id)
        accepted = (await receive.take(hub, self._keys, batch, fresh_keys)).accepted
        fault("collect.before_receipt")
        members: dict[str, Any] = {"receipt": accepted.receipt}
        if accepted.stopped is not None:
            members["stopped"] = problem_for(accepted.stopped, hub.now()).members["code"]
        await self._call("POST", "/receipts", members)
        fault("collect.after_receipt")
        if accepted.stopped is not None:
            suspicions.note(hub, accepted.stopped.code, link_id)
            raise accepted.stopped
        hub.handed_in.add(link_id)
        return accepted.news

    async def _push(self, sha256: str, have: int) -> bool:
        """Give the peer a file of ours that it asks for; whether that is settled now."""
        hub, link_id = self._hub, self._keys.link_id
        path = f"/blobs/{sha256}"
        try:
            size = await peers.readable_file(hub, link_id, sha256)
            while True:
                part = await asyncio.to_thread(_read, hub, sha256, have)
                said = await self._call("PUT", f"{path}?from={have}", raw=part, media_type=BYTES)
                following = Members(said, "file").number("have")
                if following == have and part:
                    raise Untrusted("malformed", "The partner took nothing of a file.")
                have = following
                if have >= size:
                    return True
        except NotFound:
            with contextlib.suppress(HubError):
                await self._call("DELETE", path)
                return True
            return False
        except HubError:
            return False

    async def _call(
        self, method: str, path: str, members: dict[str, Any] | None = None, **how: Any
    ) -> dict[str, Any]:
        said = await calls.call(
            self._hub,
            self._transport,
            method,
            self._base + path,
            calls.pinned(self._hub, self._keys),
            members,
            **how,
        )
        if (problem := said.problem) is not None:
            raise problem
        return said.members


def _read(hub: Hub, sha256: str, start: int) -> bytes:
    with hub.blobs.path(sha256).open("rb") as source:
        source.seek(start)
        return source.read(MAX_PART)


async def _unless(stop: asyncio.Event | None, asked: Awaitable[T]) -> T:
    """What was asked for. Raises Stopped where `stop` is set before it is there."""
    if stop is None:
        return await asked
    call = asyncio.ensure_future(asked)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({call, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not call.done():
            raise Stopped
        return call.result()
    finally:
        for one in (call, stopping):
            one.cancel()
