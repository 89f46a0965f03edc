"""An IMAP server as far as fetching needs one, whose folders and accidents a test writes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from hub.mail.mailboxes import Imap, Secret


@dataclass
class MailFolders:
    """Folders of one mailbox. `cuts` counts pieces that break off in the middle of a literal."""

    folders: dict[str, list[bytes]] = field(default_factory=lambda: {"INBOX": []})
    uidvalidity: int = 1
    cuts: int = 0
    tokens: list[str] = field(default_factory=list)  # of OAuth2, as they were shown
    good_token: str = ""  # another is refused
    port: int = 0

    @property
    def settings(self) -> Imap:
        return Imap(
            host="127.0.0.1",
            port=self.port,
            security="none",
            user="help",
            oauth2_token=Secret(env="TOKEN"),
            folders=tuple(self.folders),
            timeout_s=5,
        )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen: list[bytes] = []
        writer.write(b"* OK ready\r\n")
        with contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode().strip():
                tag, _space, said = line.partition(" ")
                verb = said.upper()
                if verb == "CAPABILITY":
                    writer.write(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n")
                elif verb.startswith("AUTHENTICATE"):
                    writer.write(b"+ \r\n")
                    told = base64.b64decode(await reader.readline()).decode()
                    self.tokens.append(told.partition("Bearer ")[2].strip("\x01"))
                    if self.tokens[-1] != self.good_token:
                        writer.write(f"{tag} NO token\r\n".encode())
                        continue
                elif verb.startswith(("EXAMINE", "SELECT")):
                    chosen = self.folders[said.split()[1].strip('"')]
                    count = (
                        f"* {len(chosen)} EXISTS\r\n* OK [UIDVALIDITY {self.uidvalidity}] it\r\n"
                    )
                    writer.write(count.encode())
                elif verb.startswith("UID SEARCH"):
                    first = int(re.search(r"UID (\d+):\*", verb)[1])
                    found = [n for n in range(1, len(chosen) + 1) if n >= first]
                    numbers = found or [len(chosen)][: len(chosen)]
                    writer.write(f"* SEARCH {' '.join(map(str, numbers))}\r\n".encode())
                elif "RFC822.SIZE" in verb:
                    uid = int(said.split()[2])
                    size = len(chosen[uid - 1])
                    writer.write(f"* {uid} FETCH (UID {uid} RFC822.SIZE {size})\r\n".encode())
                elif verb.startswith("UID FETCH"):
                    uid = int(said.split()[2])
                    at, most = map(int, re.search(r"<(\d+)\.(\d+)>", said).groups())
                    piece = chosen[uid - 1][at : at + most]
                    head = f"* {uid} FETCH (UID {uid} BODY[]<{at}> {{{len(piece)}}}\r\n"
                    writer.write(head.encode())
                    if self.cuts:
                        self.cuts -= 1
                        writer.write(piece[: len(piece) // 2])
                        break
                    writer.write(piece + b")\r\n")
                writer.write(f"{tag} OK done\r\n".encode())
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def mail_folders() -> AsyncIterator[MailFolders]:
    """One on a free port of this machine."""
    made = MailFolders()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
