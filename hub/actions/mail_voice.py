"""How a partner that has only a mailbox hears what we say: a letter for each thing.

What its node would answer by itself, to a recall or to a proposal that was taken back, is answered
here in its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.actions import custody, mail_terms, reminders
from hub.actions.context import Hub
from hub.actions.mail_links import vouch, write
from hub.ids import MessageId
from hub.protocol.signing import read_data
from hub.storage import handoffs, inbox
from hub.storage import posts as stored_posts
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff
from hub.storage.links import Link
from hub.storage.outbox import OutboxRow

SILENT: Final = frozenset(
    {
        "file.status",
        "subcontract.notice",
        "link.checkpoint",
        "link.differences",
        "link.keys",
        "link.epoch",
        "link.skip",
        "handoff.retract_refused",
    }
)
"""What only a node has a use for."""


class MailVoice:
    """Tells by letter."""

    def tell(self, tx: Tx, hub: Hub, link: Link, row: OutboxRow, now: datetime) -> None:
        """Queue the letter that says it; answer for the partner what its node would."""
        assert row.data is not None
        said = read_data(row.data)
        if row.type in SILENT:
            return
        if row.type in mail_terms.TOLD:
            mail_terms.tell(tx, hub, link, row.type, said, row.id, now)
            return
        if row.handoff_id is None:
            self._of_link(tx, hub, link, row, said, now)
            return
        handoff = handoffs.find(tx.connection, row.handoff_id)
        if handoff is None or handoff.link_id != link.id:
            return  # it has moved to the partner's node
        write(tx, hub, link, handoff, row.type, said, now, said_id=row.id)
        if row.type == "handoff.cancel_request":
            _grant(tx, hub, link, handoff, said, row.id, now)

    def resumes(
        self, tx: Tx, hub: Hub, link: Link, rows: Sequence[OutboxRow], now: datetime
    ) -> None:
        """Write the letters that were not written; a person decides whether they are sent.

        What the passing of time would have made us write may have been written as well.
        """
        for row in rows:
            if stored_posts.that_said(tx.connection, row.id) is None:
                self.tell(tx, hub, link, row, now)
        stored_posts.set_aside(tx, [row.id for row in rows], now)
        reminders.pass_over(tx, hub, link, now)

    def untold(self, connection: Connection, message_ids: Collection[str]) -> set[str]:
        """Those whose letters no mail server has taken yet."""
        return stored_posts.on_their_way(connection, message_ids)

    def _of_link(
        self,
        tx: Tx,
        hub: Hub,
        link: Link,
        row: OutboxRow,
        said: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """What concerns the link is said in every thread that is open."""
        if row.type == "message.rejected":
            refused = inbox.find(tx.connection, said["ref_id"])
            about = None if refused is None else refused.handoff_id
            found = [] if about is None else [handoffs.find(tx.connection, about)]
        else:
            found = list(handoffs.of_link(tx.connection, link.id, only_open=True))
        for handoff in found:
            if handoff is not None:
                write(tx, hub, link, handoff, row.type, said, now, said_id=row.id)
        if row.type == "link.close" and link.closed_by_peer_at is None:
            custody.say(tx, hub, link.id, "link.close", {}, now=now)


def _grant(
    tx: Tx,
    hub: Hub,
    link: Link,
    handoff: Handoff,
    said: Mapping[str, Any],
    cause: MessageId,
    now: datetime,
) -> None:
    """Called off: nobody there has to agree, as the agreement with mail links says."""
    answer = {"from": handoff.state, "request_id": said["request_id"]}
    message_id = custody.say(
        tx, hub, link.id, "handoff.cancelled", answer, now=now, handoff_id=handoff.id, cause=cause
    )
    vouch(tx, link.id, handoff.id, message_id, "rule", {"rule": "cancel"}, now)
