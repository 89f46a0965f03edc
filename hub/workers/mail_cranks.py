"""The kinds of work that mail makes, each a configuration of the same loop."""

from __future__ import annotations

from datetime import datetime

from hub.actions import letters, posts
from hub.actions.context import Hub
from hub.mail.intake import MailRoom
from hub.mail.post import PostOffice


class Letters:
    """Reads letters that were stored."""

    topic = letters.TOPIC

    def __init__(self, hub: Hub, room: MailRoom) -> None:
        self._hub = hub
        self._room = room

    async def turn(self) -> datetime | None:
        """Read all that is due; when the next one is."""
        if await self._room.read_due():
            return self._hub.now()  # there may be more than one turn takes
        return await letters.next_at(self._hub)


class Posts:
    """Sends our letters."""

    topic = posts.TOPIC

    def __init__(self, hub: Hub, office: PostOffice) -> None:
        self._hub = hub
        self._office = office

    async def turn(self) -> datetime | None:
        """Try all that is due; when the next one is."""
        if await self._office.send_due():
            return self._hub.now()
        return await posts.next_at(self._hub)
