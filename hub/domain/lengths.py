"""How long a text may be: the wire's limits, kept where texts enter so that they can leave.

A text that passes here is never the reason why a message cannot be sealed.
"""

from __future__ import annotations

import json
from typing import Final

from hub.errors import Refused

TITLE_MAX: Final = 500  # characters of a title or an address
SHORT_MAX: Final = 200  # characters of a one-line value
TEXT_MAX: Final = 20_000  # characters of a description or a comment
ITEM_ID_MAX: Final = 64  # characters of a checklist item's id
FIELDS_MAX: Final = 100  # custom fields of a ticket
CHECKLIST_MAX: Final = 200  # items of a checklist
DATA_MAX: Final = 65_536 - 64  # bytes of a payload; 64 are for the salt that sealing adds
CONTENT_MAX: Final = 48 * 1024  # bytes of one ticket or comment on the wire
FILES_MAX: Final = 12 * 1024  # bytes of the file descriptions beside it


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def wire_size(value: object) -> int:
    """How many bytes it takes in a payload. Raises `Refused(text_invalid)`."""
    try:
        return len(_ENCODER.encode(value).encode())
    except UnicodeEncodeError as error:
        # Half of a surrogate pair: JSON can write it down, UTF-8 cannot.
        raise Refused("text_invalid", "The text has a character that does not exist.") from error


def check_text(name: str, text: str, limit: int) -> int:
    """The size of the text on the wire, in bytes.

    Raises `Refused(text_too_long | text_invalid)`.
    """
    if len(text) > limit:
        raise Refused(
            "text_too_long", "'{name}' is longer than {limit} characters.", name=name, limit=limit
        )
    return wire_size(text)


def check_content(size: int) -> None:
    """Return if this many bytes fit into one message. Raises `Refused(text_too_long)`."""
    if size > CONTENT_MAX:
        raise Refused(
            "text_too_long",
            "All the texts together are too long for one message.",
            hint="Put the longest one into a file.",
            because=f"{size} bytes of {CONTENT_MAX}",
        )


def shortened(text: str, characters: int, size: int) -> str:
    """The text within both bounds, of characters and of bytes; a mark says that it is cut."""
    text = text.rstrip()
    if len(text) <= characters and len(text.encode()) <= size:
        return text
    room = size - len(_CUT.encode())
    kept = text[: characters - len(_CUT)].encode()[:room].decode(errors="ignore")
    return kept + _CUT


_CUT: Final = "\n\n[…]"
