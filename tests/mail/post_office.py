"""A mail server that keeps what it is given to the byte, and breaks off where it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from hub.mail.mailboxes import Server

_REFUSED = {
    "450": "mailbox busy",
    "451": "4.7.1 greylisted, come again",
    "452": "4.2.2 mailbox full",
    "550": "5.1.1 no such user",
}


@dataclass
class Taken:
    """One letter as the server got it."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def letter(self) -> EmailMessage:
        """The letter, read by the library."""
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def text(self, kind: str = "plain") -> str:
        part = self.letter.get_body((kind,))
        assert part is not None
        return str(part.get_content())


def a_bounce(taken: Taken, said: str = "smtp; 552 mailbox full") -> bytes:
    """The report of a mail server that could not deliver this letter after all."""
    return (
        "From: MAILER-DAEMON@mx.test.example\r\n"
        f"To: {taken.sender}\r\nSubject: Undelivered\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nSorry\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        f"Final-Recipient: rfc822; {taken.recipients[0]}\r\nAction: failed\r\nStatus: 5.2.2\r\n"
        f"Diagnostic-Code: {said}\r\n\r\n--b--\r\n"
    ).encode()


@dataclass
class MailServer:
    """`faults` are taken one a connection: "" for none."""

    taken: list[Taken] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def settings(self) -> Server:
        return Server(host="127.0.0.1", port=self.port, security="none", timeout_s=5)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self.faults.pop(0) if self.faults else ""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer, fault)
        writer.close()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: str
    ) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        if fault == "busy":
            say("421 too busy")
            return
        say("220 mx.test.example")
        sender, recipients = "", []
        while line := (await reader.readline()).decode().strip():
            verb = line.upper()
            if verb.startswith(("EHLO", "HELO")):
                say("250-mx.test.example\r\n250-8BITMIME\r\n250 SIZE 99999999")
            elif verb.startswith("MAIL FROM:"):
                sender = line[10:].split(" ")[0].strip("<>")
                say("250 ok")
            elif verb.startswith("RCPT TO:"):
                if fault in _REFUSED:
                    say(f"{fault} {_REFUSED[fault]}")
                    continue
                recipients.append(line[8:].split(" ")[0].strip("<>"))
                say("250 ok")
            elif verb == "DATA":
                say("354 go on")
                await writer.drain()
                if fault == "cut_before_dot":
                    await reader.readexactly(20)
                    return
                raw = await reader.readuntil(b"\r\n.\r\n")
                raw = raw[:-3].replace(b"\r\n..", b"\r\n.")
                if fault == "554":
                    say("554 no")
                    continue
                self.taken.append(Taken(sender, recipients, raw))
                if fault == "cut_after_dot":
                    return
                say("250 queued")
            elif verb == "QUIT":
                if fault == "slow_quit":
                    await reader.read()  # until the other side has had enough
                    return
                say("221 bye")
                return
            else:
                say("250 ok")
            await writer.drain()


@contextlib.asynccontextmanager
async def a_mail_server() -> AsyncIterator[MailServer]:
    """One on a free port of this machine."""
    made = MailServer()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
