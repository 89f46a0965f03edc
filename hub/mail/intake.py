"""Letters that were stored: read in a process of their own, judged, taken over or held whole."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.actions import files, intake, letters
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.actions.intake import Intake
from hub.domain.letter import Letter, Standing
from hub.errors import Refused, Unavailable
from hub.mail import standing
from hub.mail.mailboxes import Mailbox
from hub.mail.parse import Unreadable
from hub.mail.reader import Reader
from hub.mail.standing import LookUp

if TYPE_CHECKING:
    from hub.storage.letters import StoredLetter


OPENED: Final = 8  # letters opened side by side


@dataclass(frozen=True, slots=True)
class Opened:
    """A letter that was read."""

    letter: Letter
    standing: Standing
    how: Intake
    files: list[NewFile]


class MailRoom:
    """Reads what was stored."""

    def __init__(
        self,
        hub: Hub,
        mailboxes: tuple[Mailbox, ...],
        reader: Reader,
        look_up: LookUp | None = None,
    ) -> None:
        """`look_up` asks the DNS for the keys of signatures; None: the system's way."""
        self._hub = hub
        self._mailboxes = {one.address: one for one in mailboxes}
        self._reader = reader
        self._look_up = look_up

    async def read_due(self) -> int:
        """Read every letter whose time has come; how many there were.

        A few are opened side by side; what they say is taken over in the order in which they came,
        so that an answer finds the ticket that its question made.
        """
        due = await letters.due(self._hub)
        ours = await letters.claim(self._hub, [one.id for one in due])
        waiting = [one for one in due if one.id in ours]
        for start in range(0, len(waiting), OPENED):
            some = waiting[start : start + OPENED]
            opened = await asyncio.gather(*(self._open(one) for one in some))
            for stored, found in zip(some, opened, strict=True):
                await self._settle(stored, found)
        return len(due)

    async def _open(self, stored: StoredLetter) -> Opened | Exception:
        """The letter and all that is to be known of it, or why not."""
        if stored.sha256 is None or not self._hub.blobs.has(stored.sha256):
            return Unreadable("its bytes are gone")
        path = self._hub.blobs.path(stored.sha256)
        mailbox = self._mailboxes.get(stored.mailbox)
        try:
            with tempfile.TemporaryDirectory(prefix="hub-letter-") as folder:
                letter = await self._reader.read(path, Path(folder))
                said = await self._standing(path, letter, mailbox)
                kept = await asyncio.to_thread(self._kept, letter) if letter.files else []
        except Exception as error:  # noqa: BLE001 - one letter's bug must not stop the queue
            return error
        how = Intake(address=stored.mailbox) if mailbox is None else mailbox.intake
        return Opened(letter, said, how, kept)

    async def _settle(self, stored: StoredLetter, found: Opened | Exception) -> None:
        try:
            if isinstance(found, Exception):
                raise found
            await intake.settle(
                self._hub, stored.id, found.letter, found.standing, found.how, found.files
            )
        except (Unreadable, Refused) as error:
            await letters.fail(self._hub, stored.id, error.because or str(error), for_good=True)
        except Unavailable as error:
            await letters.fail(self._hub, stored.id, str(error), for_good=False)
        except Exception as error:  # noqa: BLE001 - the same
            await letters.fail(
                self._hub, stored.id, f"{type(error).__name__}: {error}", for_good=False
            )

    async def _standing(self, path: Path, letter: Letter, mailbox: Mailbox | None) -> Standing:
        if mailbox is None:
            return Standing.UNKNOWN
        said = standing.told(letter, mailbox.authserv_id)
        if said is Standing.UNKNOWN and mailbox.check_dkim:
            raw = await asyncio.to_thread(path.read_bytes)
            return await standing.checked(raw, letter, self._look_up)
        return said

    def _kept(self, letter: Letter) -> list[NewFile]:
        """The files of the letter, in the store."""
        kept = []
        for one in letter.files[: self._hub.limits.files_per_letter]:
            with Path(one.path).open("rb") as source:
                kept.append(files.store(self._hub, one.name, one.media_type, source))
        return kept
