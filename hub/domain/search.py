"""How a text becomes words that can be found, and a question the beginnings of such words.

The same on every database: the words are made here, the database only keeps and looks them up.
Endings are cut off a question (кассы, кассой, касса; printer, printers), which serves Russian and
English alike and needs no dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
WORD_MAX: Final = 40  # letters of a word that are kept
WORDS_MAX: Final = 20_000  # different words of one text
ASKED_MAX: Final = 8  # words of a question
_ENDINGS: Final = ((10, 3), (6, 2), (5, 1))  # words this long lose so many letters


def words(*texts: str) -> str:
    """The different words of these texts, folded, with one space between them."""
    return " ".join(list(dict.fromkeys(_folded(texts)))[:WORDS_MAX])


def wanted(question: str) -> tuple[str, ...]:
    """The beginnings that every text found must have; empty where there is nothing to look for."""
    return tuple(dict.fromkeys(_stem(word) for word in _folded([question])))[:ASKED_MAX]


def _folded(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")  # noqa: RUF001 - Russian letters
        for word in _WORD.findall(folded):
            yield word[:WORD_MAX]


def _stem(word: str) -> str:
    if not word.isalpha():
        return word  # a number is meant as it is
    cut = next((less for length, less in _ENDINGS if len(word) >= length), 0)
    return word[: len(word) - cut]
