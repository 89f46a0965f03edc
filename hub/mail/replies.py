"""What a person wrote in a reply, without what they answer to and what is written under it.

Lines are given kinds, the kinds decide: the time grows with the letter and with nothing else
(libraries that search the whole text took 54 s for 20,000 empty lines, docs/decisions/0031).
Nothing is lost: the whole letter stays beside the ticket.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from hub.mail.reply_words import (
    ANCHOR,
    ATTRIBUTIONS,
    CLOSING,
    CLOSING_OF_BLOCK,
    DELIMITER,
    HEADER,
    MOBILE,
    OUR_MARKERS,
    QUOTE,
    SEPARATORS,
)

TEXT_MAX: Final = 256 * 1024  # characters of a letter that are looked at
_LINE_MAX: Final = 1000  # a longer line is text, whatever it says
_JOINED: Final = 4  # lines over which one attribution may be spread
_SIGNED_MAX: Final = 12  # lines of a signature
_CLOSING_MAX: Final = 120  # characters of the line it begins with
_BLOCK_MIN: Final = 4  # lines that make a block: closing, name, position, company
_FOOTER_MAX: Final = 6  # lines under a quote that are a footer, no answers in between

_EMPTY, _TEXT, _QUOTE, _ATTRIBUTION, _HEADER, _DELIMITER, _MOBILE = "etqbhds"
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))


def extract(text: str) -> str:
    """The newest words of the letter; all of it where nothing can be told apart."""
    lines = _lines(text[:TEXT_MAX])
    lines = _above_our_marker(lines)
    lines, kinds = _kinds(lines)
    for step in (_cut_delimiter, _drop_mobile, _cut_quoted, _cut_headers, _drop_trailing_quotes):
        lines, kinds = step(lines, kinds)
    lines = _unsigned(lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _lines(text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = text.translate(_INVISIBLE).replace("\u00a0", " ")
    lines = [line.rstrip() for line in text.split("\n")]
    # Thousands of empty lines say no more than two.
    return [
        line
        for n, line in enumerate(lines)
        if line or n == 0 or lines[n - 1] or n + 1 == len(lines)
    ]


def _above_our_marker(lines: list[str]) -> list[str]:
    for n, line in enumerate(lines):
        if any(marker in line for marker in OUR_MARKERS):
            if _TEXT not in _kinds(lines[:n])[1]:
                return lines  # they wrote below, some do
            # The line above it may say who wrote what follows: it is told apart like any other.
            return [*lines[:n], "> "]
    return lines


def _kinds(lines: list[str]) -> tuple[list[str], str]:
    """The lines, each attribution joined into one, and one letter for the kind of each."""
    told: list[str] = []
    kinds: list[str] = []
    n = 0
    code = False  # between two fences of Markdown nothing is a sign of the mail program
    while n < len(lines):
        code ^= lines[n].lstrip().startswith("```")
        joined = 0 if code else _attribution(lines, n)
        if joined:
            told.append(" ".join(lines[n : n + joined]))
            kinds.append(_ATTRIBUTION)
            n += joined
            continue
        told.append(lines[n])
        kinds.append((_TEXT if lines[n] else _EMPTY) if code else _kind(lines[n]))
        n += 1
    return told, "".join(kinds)


def _attribution(lines: list[str], n: int) -> int:
    """How many lines from here on are one attribution; 0: none."""
    first = _bare(lines[n])
    if not first or len(first) > _LINE_MAX:
        return 0
    if SEPARATORS.fullmatch(first):
        return 1
    joined = ""
    for count, line in enumerate(lines[n : n + _JOINED], start=1):
        bare = _bare(line)
        if not bare:
            return 0
        if len(joined) + len(bare) > _LINE_MAX:
            return 0
        joined = f"{joined} {bare}".strip()
        if any(one.fullmatch(joined) for one in ATTRIBUTIONS):
            if not ANCHOR.match(first) and any(
                _attribution(lines, n + above) == count - above for above in range(1, count)
            ):
                return 0  # the line belongs to the words above it
            return count
    return 0


def _bare(line: str) -> str:
    return line.lstrip("> |\t").strip(" \t*")


def _kind(line: str) -> str:
    if not line.strip():
        return _EMPTY
    if len(line) > _LINE_MAX:
        return _QUOTE if QUOTE.match(line) else _TEXT
    if DELIMITER.fullmatch(line):
        return _DELIMITER
    if MOBILE.fullmatch(line):
        return _MOBILE
    if HEADER.fullmatch(line):
        return _HEADER
    return _QUOTE if QUOTE.match(line) else _TEXT


def _cut_delimiter(lines: list[str], kinds: str) -> tuple[list[str], str]:
    """Nothing below a line of signs: a signature, a footer, what was quoted."""
    found = kinds.find(_DELIMITER)
    while found >= 0 and _TEXT not in kinds[:found] and _ATTRIBUTION not in kinds[:found]:
        lines, kinds = lines[:found] + lines[found + 1 :], kinds[:found] + kinds[found + 1 :]
        found = kinds.find(_DELIMITER)
    return (lines, kinds) if found < 0 else (lines[:found], kinds[:found])


def _drop_mobile(lines: list[str], kinds: str) -> tuple[list[str], str]:
    kept = [n for n, kind in enumerate(kinds) if kind != _MOBILE]
    return [lines[n] for n in kept], "".join(kinds[n] for n in kept)


def _cut_quoted(lines: list[str], kinds: str) -> tuple[list[str], str]:
    """Without the quoted letter; answers between its lines stay, with what they answer."""
    first = kinds.find(_ATTRIBUTION)
    if first < 0:
        return lines, kinds
    above, below = kinds[:first], kinds[first + 1 :]
    if _TEXT in above:
        quoted = below.rfind(_QUOTE)
        last = max(quoted, below.rfind(_ATTRIBUTION))
        between = below[:last].count(_TEXT) if quoted >= 0 else 0
        # Unquoted, everything below is the old letter; quoted, a few lines below are a footer.
        if quoted < 0 or (not between and below[last + 1 :].count(_TEXT) <= _FOOTER_MAX):
            return lines[:first], kinds[:first]
        if kinds[first + 1 :].lstrip(_EMPTY)[:1] in {_TEXT, _HEADER}:
            return lines[:first], kinds[:first]
    elif _QUOTE in below or _ATTRIBUTION in below:
        last = max(kinds.rfind(_QUOTE), kinds.rfind(_ATTRIBUTION))
        begins = kinds.find(_TEXT, last)
        quoted_first = below.lstrip(_EMPTY)[:1] in {_QUOTE, _ATTRIBUTION}
        if begins >= 0 and quoted_first and _TEXT not in kinds[first:last]:
            return lines[begins:], kinds[begins:]  # the reply stands below
    if _TEXT not in kinds and _HEADER not in kinds:
        return [], ""  # nothing of their own
    kept = [n for n, kind in enumerate(kinds) if kind != _ATTRIBUTION]
    return [lines[n] for n in kept], "".join(kinds[n] for n in kept)


_HEADERS: Final = re.compile("h[ht]?h[ht]?h|h+e{0,2}h+e{0,2}h+|h{3,}")


def _cut_headers(lines: list[str], kinds: str) -> tuple[list[str], str]:
    """Nothing below a block of header lines that stands under some text."""
    found = _HEADERS.search(kinds)
    if found is None:
        return lines, kinds
    if _TEXT not in kinds[: found.start()]:  # a letter passed on without a word: its text
        begins = kinds.find(_EMPTY, found.start()) + 1 or len(kinds)
        rest = found.end() if _TEXT not in kinds[begins:] else begins
        return lines[rest:], kinds[rest:]
    return lines[: found.start()], kinds[: found.start()]


def _drop_trailing_quotes(lines: list[str], kinds: str) -> tuple[list[str], str]:
    if _TEXT not in kinds:
        return lines, kinds
    end = len(kinds.rstrip(_QUOTE + _EMPTY))
    return lines[:end], kinds[:end]


def _unsigned(lines: list[str]) -> list[str]:
    """Without the signature a person made: a closing line and the few lines under it."""
    filled = [n for n, line in enumerate(lines) if line.strip()]
    for place, n in enumerate(filled):
        rest = len(filled) - place
        if not place or rest > _SIGNED_MAX or len(lines[n]) > _CLOSING_MAX:
            continue
        if CLOSING.fullmatch(lines[n]):
            return lines[:n]
        if rest >= _BLOCK_MIN and CLOSING_OF_BLOCK.fullmatch(lines[n]):
            return lines[:n]
    return lines


def folded(text: str) -> str:
    """The text with every run of white space as one space: for comparing."""
    return " ".join(unicodedata.normalize("NFC", text).split())
