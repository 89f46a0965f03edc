"""Everything of a node that has to do with letters, begun and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hub.actions import correspondence
from hub.actions.context import Hub
from hub.mail.door import open_door
from hub.mail.imap import ImapFetcher
from hub.mail.intake import MailRoom
from hub.mail.mailboxes import Mailbox
from hub.mail.post import PostOffice
from hub.mail.profile import Profile
from hub.mail.reader import Reader
from hub.mail.submit import SmtpSubmission


class MailHouse:
    """The mailboxes of a node at work."""

    def __init__(
        self,
        hub: Hub,
        mailboxes: tuple[Mailbox, ...],
        env: Mapping[str, str],
        profiles: tuple[Profile, ...] = (),
    ) -> None:
        self._hub = hub
        self._mailboxes = mailboxes
        self._env = env
        self._reader = Reader(profiles)
        self._stop = asyncio.Event()
        self._fetching: list[asyncio.Task[None]] = []
        self._door: asyncio.Server | None = None
        self.room = MailRoom(hub, mailboxes, self._reader)
        self.office = PostOffice(hub, mailboxes, SmtpSubmission(env), env)

    async def open_door(self, listen_on: tuple[str, int] | None, *, lmtp: bool) -> None:
        """Take letters in, where the operator wants it. Raises Misconfigured."""
        if listen_on is not None:
            host, port = listen_on
            self._door = await open_door(self._hub, self._mailboxes, host, port, lmtp=lmtp)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where the door listens."""
        if self._door is None:
            return None
        host, port = self._door.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def fetch(self) -> None:
        """Keep every mailbox read that is fetched from a server."""
        await correspondence.opened(self._hub, [one.address for one in self._mailboxes])
        for one in self._mailboxes:
            if one.imap is not None:
                fetcher = ImapFetcher(self._hub, one, self._env)
                self._fetching.append(asyncio.create_task(fetcher.run(self._stop)))

    async def close(self) -> None:
        """Take nothing in any more, and let everything go."""
        self._stop.set()
        if self._door is not None:
            self._door.close()
        if self._fetching:
            _done, late = await asyncio.wait(self._fetching, timeout=10)
            for one in late:
                one.cancel()
        await self._reader.close()
