"""Pulling one file from a peer: resumed where it broke off, stopped one byte past its size."""

from __future__ import annotations

from datetime import timedelta

from hub.actions import files, peers
from hub.actions.context import Hub
from hub.errors import HubError, Unavailable, Untrusted
from hub.federation import calls
from hub.federation.client import PeerTransport, StreamedAnswer
from hub.storage.attachments import Fetch, FileState
from hub.storage.blobs import PartialBlob


async def fetch(hub: Hub, transport: PeerTransport, wanted: Fetch) -> None:
    """Pull the file; whatever happens is recorded, nothing is raised for the peer's faults."""
    partial = hub.blobs.partial(wanted.link_id, wanted.sha256, wanted.size)
    try:
        # Also where the bytes are here already from elsewhere: a peer that could name a digest
        # and be believed would learn which files we have.
        await _pull(hub, transport, wanted, partial)
        partial.finish()
    except Gone as gone:
        await files.fetch_refused(hub, wanted, FileState.GONE, gone.code)
    except HubError as error:
        await files.fetch_failed(hub, wanted, error)
    else:
        await files.fetched(hub, wanted)


class Gone(HubError):  # noqa: N818 - what happened
    """The peer does not have the file any more."""


async def _pull(
    hub: Hub, transport: PeerTransport, wanted: Fetch, partial: PartialBlob
) -> None:
    keys = await peers.keys(hub, wanted.link_id)
    if keys is None:
        raise Gone("not_found", "There is no such link.")
    have = partial.have
    if have == wanted.size:
        return
    if have > wanted.size:
        partial.drop()
        have = 0
    headers = {"if-range": f'"{wanted.sha256}"', "range": f"bytes={have}-"} if have else {}
    url = f"{keys.peer_base_url}/txp/v1/links/{wanted.link_id}/blobs/{wanted.sha256}"
    async with calls.stream(hub, transport, url, headers, wanted.size + 1) as answer:
        _check(answer, wanted, have)
        start = have if answer.status == 206 else 0  # noqa: PLR2004
        with partial.writer(start=start) as writer:
            async for chunk in answer.chunks:
                writer.write(chunk)


def _check(answer: StreamedAnswer, wanted: Fetch, have: int) -> None:
    if answer.status in {404, 410}:
        raise Gone("blob_gone", "The peer has the file no more.")
    if answer.status not in {200, 206}:
        raise Unavailable(
            "peer_unreachable",
            "The peer does not give the file now.",
            because=f"status {answer.status}",
            after=timedelta(seconds=5),
        )
    if answer.status == 206:  # noqa: PLR2004
        expected = f"bytes {have}-"
        if not answer.headers.get("content-range", "").startswith(expected):
            raise Untrusted("malformed", "The peer sent another part than was asked for.")

