"""Pulling one file from a peer: resumed where it broke off, stopped one byte past its size."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.actions import files, peers
from hub.actions.context import Hub
from hub.errors import HubError, Refused, Untrusted
from hub.faults import fault
from hub.federation import calls
from hub.federation.client import PeerTransport, StreamedAnswer

if TYPE_CHECKING:
    from hub.storage.attachments import Fetch
    from hub.storage.blobs import PartialBlob


_GONE = frozenset({"not_found", "blob_gone", "link_closed"})


async def fetch(hub: Hub, transport: PeerTransport, wanted: Fetch) -> None:
    """Pull the file; whatever happens is recorded, nothing is raised for the peer's faults."""
    partial = hub.blobs.partial(wanted.link_id, wanted.sha256, wanted.size)
    try:
        # Also where the bytes are here already from elsewhere: a peer that could name a digest
        # and be believed would learn which files we have.
        await _pull(hub, transport, wanted, partial)
        await asyncio.to_thread(partial.finish)  # it reads the whole file once more
    except Refused as error:
        if error.code in _GONE:
            await files.fetch_gone(hub, wanted, error.code)
        else:
            await files.fetch_failed(hub, wanted, error)
    except HubError as error:
        await files.fetch_failed(hub, wanted, error)
    else:
        fault("files.before_row")
        await files.fetched(hub, wanted)


async def _pull(hub: Hub, transport: PeerTransport, wanted: Fetch, partial: PartialBlob) -> None:
    keys = await peers.keys(hub, wanted.link_id)
    if keys is None:
        raise Refused("not_found", "There is no such link.")
    have = partial.have
    if have == wanted.size:
        return
    if have > wanted.size:
        partial.drop()
        have = 0
    headers = {"if-range": f'"{wanted.sha256}"', "range": f"bytes={have}-"} if have else {}
    url = f"{keys.peer_base_url}/txp/v1/links/{wanted.link_id}/blobs/{wanted.sha256}"
    async with calls.stream(
        hub, transport, url, calls.pinned(hub, keys), headers, wanted.size + 1
    ) as answer:
        start = _start(answer, have)
        with partial.writer(start=start) as writer:
            async for chunk in answer.chunks:
                writer.write(chunk)
                fault("files.part_written")
        fault("files.part_synced")


def _start(answer: StreamedAnswer, have: int) -> int:
    """From which byte on this answer goes. Raises Untrusted for another part than asked for."""
    if answer.status == 200:
        return 0
    if answer.headers.get("content-range", "").startswith(f"bytes {have}-"):
        return have
    raise Untrusted("malformed", "The peer sent another part than was asked for.")
