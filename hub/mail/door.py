"""The node's own door for letters: LMTP behind a mail server, or SMTP.

It takes letters for its mailboxes and for nobody else, and says yes when the letter is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from hub.actions import letters
from hub.actions.context import Hub
from hub.errors import HubError, Misconfigured, Refused
from hub.mail.mailboxes import Mailbox

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

RECIPIENTS: Final = 50  # of one letter
SILENT_S: Final = 60.0  # a caller that says nothing is let go
_OK: Final = "250 2.0.0 stored"


class Doorkeeper:
    """What the library asks at each step of a call."""

    def __init__(self, hub: Hub, mailboxes: tuple[Mailbox, ...], *, lmtp: bool) -> None:
        self._hub = hub
        self._lmtp = lmtp
        self._addresses = {
            place: one.address for one in mailboxes for place in (one.address, *one.aliases)
        }

    def _mailbox(self, recipient: str) -> str | None:
        local, _at, domain = recipient.lower().rpartition("@")
        return self._addresses.get(f"{local.partition('+')[0]}@{domain}")

    async def handle_RCPT(  # noqa: N802 - the library's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Only our mailboxes; nothing is passed on."""
        if self._mailbox(address) is None:
            return "550 5.1.1 no such mailbox here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Yes when it is safe, once for every mailbox."""
        raw = envelope.content
        assert isinstance(raw, bytes)
        by_mailbox: dict[str, list[str]] = {}
        for recipient in envelope.rcpt_tos:
            if mailbox := self._mailbox(recipient):
                by_mailbox.setdefault(mailbox, []).append(recipient)
        answers: dict[str, str] = {}
        for mailbox, recipients in by_mailbox.items():
            answers[mailbox] = await self._store(mailbox, recipients, envelope.mail_from or "", raw)
        if self._lmtp:  # RFC 2033 §4.2: one answer for each recipient
            return "\r\n".join(answers[self._mailbox(one) or ""] for one in envelope.rcpt_tos)
        return next((one for one in answers.values() if one != _OK), _OK)

    async def _store(self, mailbox: str, recipients: list[str], sender: str, raw: bytes) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield raw

        source = f"door:{self._hub.entropy.bytes(16).hex()}"
        try:
            await letters.take(
                self._hub, mailbox, source, chunks(), sender=sender, recipients=recipients
            )
        except Refused:
            return "552 5.3.4 too large"
        except HubError:
            return "451 4.3.0 try again later"
        return _OK


async def open_door(
    hub: Hub, mailboxes: tuple[Mailbox, ...], host: str, port: int, *, lmtp: bool
) -> asyncio.Server:
    """Listen; the server, to be closed. Raises Misconfigured."""
    try:
        from aiosmtpd.lmtp import LMTP
        from aiosmtpd.smtp import SMTP
    except ImportError as error:
        raise Misconfigured(
            "extra_missing",
            "The door for letters needs a part that is not installed.",
            hint='pip install "ticket-exchange-hub[mailin]"',
        ) from error
    keeper = Doorkeeper(hub, mailboxes, lmtp=lmtp)
    loop = asyncio.get_running_loop()
    kind: Any = LMTP if lmtp else SMTP

    def protocol() -> Any:
        return kind(
            keeper,
            data_size_limit=hub.limits.letter_bytes,
            enable_SMTPUTF8=True,
            timeout=SILENT_S,
            ident="hub",
            loop=loop,
        )

    try:
        return await loop.create_server(protocol, host, port)
    except OSError as error:
        raise Misconfigured(
            "cannot_listen",
            "Cannot listen on {host}:{port}: {why}.",
            hint="Choose another address: mail.listen in config.yaml",
            because=str(error),
            host=host,
            port=port,
            why=(error.strerror or str(error)).lower(),
        ) from error
