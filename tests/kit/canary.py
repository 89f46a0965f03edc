"""Marks that are planted where nothing may get out, and the search for them on the wire."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from tests.kit.clock import SeededEntropy

_CYRILLIC = "абвгдежзиклмнопр"  # one letter for each hexadecimal digit


@dataclass(frozen=True)
class Canary:
    """Sixteen random bytes, in a form for every place."""

    where: str
    raw: bytes

    @property
    def hex(self) -> str:
        """For addresses, names of files, phone numbers."""
        return self.raw.hex()

    @property
    def cyrillic(self) -> str:
        """The same in letters that every encoding must escape."""
        return "".join(_CYRILLIC[int(digit, 16)] for digit in self.hex)

    @property
    def text(self) -> str:
        """For everything people write."""
        return f"{self.cyrillic} {self.hex}"

    @property
    def content(self) -> bytes:
        """For the inside of a file."""
        return b"\x00" + self.raw + self.text.encode() + b"\xff"

    def forms(self) -> set[bytes]:
        """Every sequence of bytes by which any part of it can travel."""
        found: set[bytes] = {self.raw}
        for text in (self.hex, self.hex.upper(), self.cyrillic, self.cyrillic.upper()):
            plain = text.encode()
            once = json.dumps(text)[1:-1]
            twice = json.dumps(once)[1:-1]
            escaped = [once, once.upper().replace("\\U", "\\u"), twice]
            found |= {plain, quote(text).encode(), quote(text).lower().encode()}
            found |= {one.encode() for one in escaped}
            for inner in (plain, text.encode("utf-16-le"), *(one.encode() for one in escaped)):
                found |= _in_base64(inner)
        return found | _in_base64(self.raw)


def _in_base64(secret: bytes) -> set[bytes]:
    """What stays of it in base64 whatever stands before it: three alignments, two alphabets."""
    found = set()
    for before in range(3):
        whole = base64.b64encode(b"\x00" * before + secret)
        # The characters at the edges also hold bits of what stands beside it.
        start = -(-before * 8 // 6)
        end = (before + len(secret)) * 8 // 6
        core = whole[start:end]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


class Flock:
    """All the canaries of one story."""

    def __init__(self, seed: str) -> None:
        self._entropy = SeededEntropy(seed)
        self.planted: list[Canary] = []

    def plant(self, where: str) -> Canary:
        """A new one, for this place."""
        made = Canary(where, self._entropy.bytes(16))
        self.planted.append(made)
        return made

    def found_in(self, sent: list[bytes]) -> dict[str, bytes]:
        """Those that got out: where they were planted → what was seen, with its neighbourhood."""
        # Chunks of one file lie side by side, so that nothing hides across their border.
        haystack = b"".join(sent)
        found: dict[str, bytes] = {}
        for one in self.planted:
            for form in one.forms():
                at = haystack.find(form)
                if at >= 0:
                    found[one.where] = haystack[max(0, at - 120) : at + len(form) + 120]
        return found
