"""Whether the domain of a letter's author stands for it (RFC 8601, RFC 7489 §3.1, RFC 6376).

Believed is our own mail server, by the name it gives itself, or our own check of the signatures.
What any other server wrote into the letter is its sender's word.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final

import dkim

from hub.domain.letter import Letter, Standing

SIGNATURES_MAX: Final = 3  # checked of one letter
CHECK_S: Final = 10.0  # for all of them, with their look-ups
_COMMENT: Final = re.compile(r"\([^()]*\)")

LookUp = Callable[..., bytes | None]
"""The TXT record of a name, as dkimpy asks for it."""


def told(letter: Letter, authserv_id: str) -> Standing:
    """What our mail server wrote on top of the letter."""
    if letter.author is None or not authserv_id:
        return Standing.UNKNOWN
    domain = letter.author.address.rpartition("@")[2]
    results: list[tuple[str, str, str]] = []
    for verdict in letter.verdicts:
        server, *entries = _COMMENT.sub(" ", verdict).split(";")
        if (server.split() or [""])[0].lower() != authserv_id.lower():
            break  # ours stand on top; below another's, one in our name is forged
        results += [_entry(one) for one in entries]
    verdicts = {method: result for method, result, _domain in reversed(results)}
    if verdicts.get("dmarc") == "pass":
        return Standing.ALIGNED
    if verdicts.get("dmarc") == "fail":
        return Standing.FAILED
    if any(
        method in {"dkim", "spf"} and result == "pass" and aligned(domain, by)
        for method, result, by in results
    ):
        return Standing.ALIGNED
    return Standing.UNKNOWN


def _entry(text: str) -> tuple[str, str, str]:
    """Method, result and the domain it is about."""
    words = text.split()
    method, _equals, result = (words or [""])[0].lower().partition("=")
    by = ""
    for word in words[1:]:
        name, _equals, value = word.lower().partition("=")
        if name in {"header.d", "smtp.mailfrom", "header.i"} and not by:
            by = value.strip('"<>').rpartition("@")[2]
    return method, result, by


def aligned(domain: str, by: str) -> bool:
    """Whether `by` may speak for `domain`: it is the same, or stands above it."""
    by = by.rstrip(".").lower()
    return "." in by and (domain == by or domain.endswith(f".{by}"))


async def checked(raw: bytes, letter: Letter, look_up: LookUp | None = None) -> Standing:
    """What our own check of its signatures says; never that it failed: lists break them."""
    if letter.author is None:
        return Standing.UNKNOWN
    domain = letter.author.address.rpartition("@")[2]
    try:
        async with asyncio.timeout(CHECK_S):
            good = await asyncio.to_thread(_passes, raw, domain, look_up)
    except TimeoutError:
        return Standing.UNKNOWN
    return Standing.ALIGNED if good else Standing.UNKNOWN


def _passes(raw: bytes, domain: str, look_up: LookUp | None) -> bool:
    try:
        checker = dkim.DKIM(raw, timeout=3)
        how = {} if look_up is None else {"dnsfunc": look_up}
        for place in range(SIGNATURES_MAX):
            if checker.verify(idx=place, **how) and aligned(domain, checker.domain.decode()):
                return True
    except Exception:  # noqa: BLE001 - a letter chooses what the library reads: no proof is no proof
        return False
    return False
