"""Fetches letters from a mailbox over IMAP: every folder in order, woken by the server.

A letter is safe here before the place it was read up to moves on, so a line that breaks in the
middle costs a repetition that is known as one. Nothing in the mailbox is changed. The library waits
for its socket, so each mailbox has a thread while it is asked something.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from imap_tools import ImapToolsError
from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted

from hub.actions import letters, mailboxes
from hub.actions.context import Hub
from hub.domain.delivery import backoff
from hub.errors import HubError, Misconfigured, Refused, Unavailable
from hub.logs import get_logger
from hub.mail.mailboxes import Imap, Mailbox
from hub.mail.submit import trusted

if TYPE_CHECKING:
    from hub.storage.letters import Cursor

CHUNK: Final = 1024 * 1024  # bytes of a letter asked for at once
LETTERS: Final = 200  # of one folder in one look
_SLICE_S: Final = 1.0  # how long nobody can stop us
_PORTS: Final = {"tls": 993, "starttls": 143, "none": 143}
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_log = get_logger("hub.mail")

_BROKEN = (OSError, imaplib.IMAP4.error, ImapToolsError, ValueError, TimeoutError)


def _read_so_far(cursor: Cursor | None) -> tuple[int, int]:
    return (0, 0) if cursor is None else (cursor.uidvalidity, cursor.uid)


class ImapFetcher:
    """Keeps one mailbox read."""

    def __init__(self, hub: Hub, mailbox: Mailbox, env: Mapping[str, str]) -> None:
        assert mailbox.imap is not None
        self._hub = hub
        self._mailbox = mailbox
        self._imap: Imap = mailbox.imap
        self._env = env
        self._client: BaseMailBox | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look, and look again when something comes, until told to stop."""
        failures = 0
        while not stop.is_set():
            try:
                more = await self.look()
                failures = 0
                if not more:
                    await self._wait(stop)
            except (HubError, *_BROKEN) as error:
                failures += 1
                await self.close()
                await self._say(error)
                wait = backoff(failures, 0.5 + self._hub.entropy.fraction() / 2)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(1.0, wait.total_seconds())):
                        await stop.wait()
        await self.close()

    async def _say(self, error: Exception) -> None:
        because = str(error)[:300] or type(error).__name__
        _log.warning("mailbox", mailbox=self._mailbox.address, because=because)
        with contextlib.suppress(HubError):  # the database may be what is away
            folder = self._imap.folders[0]
            await mailboxes.unreachable(self._hub, self._mailbox.address, folder, because)

    async def look(self) -> bool:
        """Take in what is new in every folder; whether there is more.

        Raises Unavailable, Misconfigured, or what the line breaks with.
        """
        if self._client is None:
            self._client = await asyncio.to_thread(self._connect)
        more = False
        for folder in self._imap.folders:
            more = await self._folder(self._client, folder) or more
        return more

    async def reach(self) -> None:
        """Return if the server is who it says, lets us in and has every folder.

        Raises Unavailable, Misconfigured.
        """
        try:
            self._client = await asyncio.to_thread(self._connect)
            for folder in self._imap.folders:
                await asyncio.to_thread(self._client.folder.set, folder, readonly=True)
        except _BROKEN as error:
            because = str(error)[:300] or type(error).__name__
            told = "The mailbox cannot be read: {said}"
            raise Unavailable("mailbox_broken", told, because=because, said=because) from error
        finally:
            await self.close()

    def _connect(self) -> BaseMailBox:
        server = self._imap
        port = server.port or _PORTS[server.security]
        how: dict[str, Any] = {"port": port, "timeout": server.timeout_s}
        client: BaseMailBox
        if server.security == "tls":
            client = MailBox(server.host, ssl_context=trusted(server), **how)
        elif server.security == "starttls":
            client = MailBoxStartTls(server.host, ssl_context=trusted(server), **how)
        else:
            client = MailBoxUnencrypted(server.host, **how)
        try:
            self._log_in(client)
        except BaseException:
            with contextlib.suppress(*_BROKEN):
                client.client.shutdown()
            raise
        return client

    def _log_in(self, client: BaseMailBox) -> None:
        server = self._imap
        if server.user is None:
            raise Misconfigured(
                "mailbox_without_user",
                "The mailbox {mailbox} has no user to log in as.",
                mailbox=self._mailbox.address,
            )
        if server.oauth2_token is not None:
            client.xoauth2(server.user, server.oauth2_token.read(self._env), None)
        else:
            assert server.password is not None
            client.login_utf8(server.user, server.password.read(self._env), None)

    async def _folder(self, client: BaseMailBox, folder: str) -> bool:
        address = self._mailbox.address
        cursor = await mailboxes.cursor(self._hub, address, folder)
        uidvalidity, uids = await asyncio.to_thread(
            self._new, client, folder, *_read_so_far(cursor)
        )
        last = cursor.uid if cursor is not None and cursor.uidvalidity == uidvalidity else 0
        for uid in uids[:LETTERS]:
            await self._take(client, f"imap:{address}:{folder}:{uidvalidity}:{uid}", uid)
            last = uid
        await mailboxes.read_up_to(self._hub, address, folder, uidvalidity=uidvalidity, uid=last)
        return len(uids) > LETTERS

    @staticmethod
    def _new(client: BaseMailBox, folder: str, uidvalidity: int, uid: int) -> tuple[int, list[int]]:
        """The folder's numbering, and what is new under it, lowest first."""
        client.folder.set(folder, readonly=True)
        said = client.client.response("UIDVALIDITY")[1]
        now = int(said[0]) if said and said[0] else 0
        last = uid if now == uidvalidity else 0
        # `n:*` names the last letter even where it is below n.
        found = client.uids(f"UID {last + 1}:*")
        return now, sorted(number for one in found if (number := int(one)) > last)

    async def _take(self, client: BaseMailBox, source: str, uid: int) -> None:
        if await letters.has(self._hub, source):
            return
        size = await asyncio.to_thread(self._size, client, uid)
        if size is None:
            return  # somebody deleted it meanwhile
        if size > self._hub.limits.letter_bytes:
            await letters.too_large(self._hub, self._mailbox.address, source, size)
            return

        async def chunks() -> AsyncIterator[bytes]:
            at = 0
            while piece := await asyncio.to_thread(self._piece, client, uid, at):
                yield piece
                at += len(piece)
                if len(piece) < CHUNK:
                    break

        with contextlib.suppress(Refused):  # it grew while it was read: no server does that
            await letters.take(self._hub, self._mailbox.address, source, chunks())

    @staticmethod
    def _size(client: BaseMailBox, uid: int) -> int | None:
        _status, answer = client.client.uid("FETCH", str(uid), "(RFC822.SIZE)")
        for one in answer:
            line = one[0] if isinstance(one, tuple) else one
            if isinstance(line, bytes) and (found := _SIZE.search(line)):
                return int(found.group(1))
        return None

    @staticmethod
    def _piece(client: BaseMailBox, uid: int, at: int) -> bytes:
        status, answer = client.client.uid("FETCH", str(uid), f"(BODY.PEEK[]<{at}.{CHUNK}>)")
        if status != "OK":
            raise Unavailable("mailbox_broken", "The mailbox broke off.", because=str(status))
        for one in answer:
            if isinstance(one, tuple):
                return bytes(one[1])
        return b""

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until something comes, the time to look is there, or we are to stop."""
        client = self._client
        left = float(self._imap.look_every_s)
        if client is None or not self._imap.idle or "IDLE" not in client.client.capabilities:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await stop.wait()
            return
        first = self._imap.folders[0]
        await asyncio.to_thread(client.folder.set, first, readonly=True)
        await asyncio.to_thread(client.idle.start)
        try:
            while left > 0 and not stop.is_set():
                if await asyncio.to_thread(client.idle.poll, _SLICE_S):
                    break
                left -= _SLICE_S
        finally:
            await asyncio.to_thread(client.idle.stop)

    async def close(self) -> None:
        """Let the connection go."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*_BROKEN):
                await asyncio.to_thread(client.client.shutdown)
