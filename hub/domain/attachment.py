"""A file on a ticket or a comment: its description, never its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from hub.domain.comment import Visibility
from hub.ids import AttachmentId


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is told about a file; the bytes are fetched by their digest."""

    attachment_id: AttachmentId
    sha256: str  # base64url without padding, 43 characters
    size: int  # bytes
    media_type: str
    name: str
    # That of the comment it hangs on. No default: whoever stores a file knows, a guess would
    # either leak a file or lose one.
    visibility: Visibility
