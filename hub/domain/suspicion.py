"""What a refusal makes us suspect. Kinds are few by design: a row and a counter for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Suspicion(StrEnum):
    """What somebody tried, or seems to have tried."""

    FORK = "fork"  # two signed messages for one position
    REPLAY = "replay"  # a batch with nothing new in it; a lost answer looks the same
    FLOOD = "flood"  # more than was agreed, or than we take
    BAD_SIGNATURE = "bad_signature"  # signature or digest does not fit; anybody can send such
    UNKNOWN_KEY = "unknown_key"  # a key that is not pinned, or not any more
    BAD_CLOCK = "bad_clock"  # signed too long ago, or in the future: an old call again?
    FOREIGN_ENVELOPE = "foreign_envelope"  # signed for another place, link or receiver
    FOREIGN_ID = "foreign_id"  # asks for what was never shown on this link
    WRONG_PEN = "wrong_pen"  # moves a hand-off that is not its to move
    BEYOND_SCOPE = "beyond_scope"  # asks for more than was agreed
    WRONG_CODE = "wrong_code"  # an invitation without its secret
    MALFORMED = "malformed"  # does not follow the protocol
    TOKEN = "token"  # an API token that opens nothing  # noqa: S105 - a name
    TOKEN_SCOPE = "token_scope"  # an API token used beyond its scopes  # noqa: S105


_BY_CODE: Final[Mapping[str, Suspicion]] = {
    "fork_detected": Suspicion.FORK,
    "replay": Suspicion.REPLAY,  # no refusal: it gets its receipt once more
    "rate_limited": Suspicion.FLOOD,
    "quota_exceeded": Suspicion.FLOOD,
    "limit_exceeded": Suspicion.FLOOD,
    "signature_invalid": Suspicion.BAD_SIGNATURE,
    "digest_mismatch": Suspicion.BAD_SIGNATURE,
    "data_hash_mismatch": Suspicion.BAD_SIGNATURE,
    "key_unknown": Suspicion.UNKNOWN_KEY,
    "key_revoked": Suspicion.UNKNOWN_KEY,
    "clock_skew": Suspicion.BAD_CLOCK,
    "env_invalid": Suspicion.FOREIGN_ENVELOPE,
    "not_found": Suspicion.FOREIGN_ID,
    "unknown_handoff": Suspicion.FOREIGN_ID,
    "duplicate_id": Suspicion.FOREIGN_ID,
    "wrong_pen": Suspicion.WRONG_PEN,
    "scope_denied": Suspicion.BEYOND_SCOPE,
    "mac_invalid": Suspicion.WRONG_CODE,
    "malformed": Suspicion.MALFORMED,
    "schema_invalid": Suspicion.MALFORMED,
    "unsupported_type": Suspicion.MALFORMED,
    "too_large": Suspicion.MALFORMED,
    "unsupported_media_type": Suspicion.MALFORMED,
    "token_missing": Suspicion.TOKEN,
    "token_invalid": Suspicion.TOKEN,
    "scope_missing": Suspicion.TOKEN_SCOPE,
}


def of(code: str) -> Suspicion | None:
    """What a refusal with this code makes us suspect; None for what happens among friends."""
    return _BY_CODE.get(code)


UNPROVEN: Final = frozenset({Suspicion.BAD_SIGNATURE, Suspicion.UNKNOWN_KEY, Suspicion.BAD_CLOCK})
"""What anybody can do in the name of a link whose id it knows: no charge against the peer."""


@dataclass(slots=True)
class Counted:
    """Refusals of one link and kind that are not written down yet."""

    count: int
    first_at: datetime
    last_at: datetime
    last_from: str  # network of the last caller, where it is known
