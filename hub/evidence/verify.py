#!/usr/bin/env python3
"""Checks an evidence bundle of the Ticket Exchange Protocol (TXP/1), alone and offline.

    python verify.py bundle.zip [--lang ru] [--json] [--party NODE_ID] [--html report.html]

Ends with 0 if the bundle is what its exporter signed and everything in it holds together, with
1 if anything was altered (and says what), with 2 if it could not be asked. What is authentic but
incomplete or disputed (no receipt, left out, superseded, contested) is a finding, not a failure.

One file on purpose, so that it can be read, and run where nothing else is: it needs Python 3.11
and the package `cryptography`. It never unpacks the archive. Every byte of it is accounted for:
of one list of entries there is exactly one archive, so nothing can be hidden between them.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import html
import json
import os
import re
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:  # said as a person can use it: the package is the only thing to install
    sys.exit("verify.py: the Python package 'cryptography' is missing: pip install cryptography")

FORMAT: Final = "txp-evidence/1"
VERSIONS: Final = ("1.0",)
MANIFEST: Final = "manifest.jws"
FREE: Final = ("report.html", "verify.py")
"""Entries that may differ from what was exported: neither can vouch for itself."""

MAX_BUNDLE: Final = 2**32 - 1
MAX_ENTRIES: Final = 20_000
MAX_MANIFEST: Final = 8 * 1024 * 1024
MAX_TEXT: Final = 512 * 1024 * 1024  # of one log
MAX_LINE: Final = 512 * 1024
MAX_ENV: Final = 4096
MAX_DATA: Final = 64 * 1024
MAX_JWS: Final = 512 * 1024
MAX_PROOF: Final = 16 * 1024 * 1024  # of a link: every key set there ever was
_CHUNK: Final = 256 * 1024

SIDES: Final = ("inviter", "invitee")

# --- the life of a hand-off: the same table as the nodes have -----------------------------------

PEN: Final[Mapping[str, str | None]] = {
    "offered": "contractor",
    "accepted": "contractor",
    "in_progress": "contractor",
    "pending": "contractor",
    "rework": "contractor",
    "resolved": "principal",
    "confirmed": "principal",
    "closed": "principal",
    "declined": None,
    "handed_back": None,
    "cancelled": None,
}
"""Who may change each state."""

_WORKING: Final = ("accepted", "in_progress", "pending", "rework")
STEPS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "handoff.accept": ("contractor", ("offered",), "accepted"),
    "handoff.decline": ("contractor", ("offered",), "declined"),
    "handoff.start": ("contractor", ("accepted", "pending", "rework"), "in_progress"),
    "handoff.pend": ("contractor", ("accepted", "in_progress", "rework"), "pending"),
    "handoff.resolve": ("contractor", _WORKING, "resolved"),
    "handoff.hand_back": ("contractor", _WORKING, "handed_back"),
    "handoff.cancelled": ("contractor", ("offered", *_WORKING), "cancelled"),
    "handoff.confirm": ("principal", ("resolved",), "confirmed"),
    "handoff.return": ("principal", ("resolved", "confirmed", "closed"), "rework"),
    "handoff.close": ("principal", ("confirmed",), "closed"),
    "handoff.cancel": ("principal", ("resolved",), "cancelled"),
}
"""Message type: who makes the step, from which states, to which."""

MISSING: Final = ("redacted", "erased", "pruned")
"""Why a payload is not there: left out of this bundle, erased on request, kept long enough."""

SUPPORT: Final = (
    "link.epoch",
    "link.keys",
    "link.skip",
    "link.amend",
    "link.amended",
    "link.amend_refused",
    "link.amend_withdrawn",
    "message.rejected",
)
"""Messages about the link that a bundle of one ticket carries too: the others lean on them."""


# --- what is said -------------------------------------------------------------------------------


class Altered(Exception):  # noqa: N818 - what happened
    """The bundle is not what was exported and signed: which entry, and what is wrong."""

    def __init__(self, entry: str, code: str, **facts: Any) -> None:
        super().__init__(entry, code)
        self.said = Said(code, entry, facts)


@dataclass(frozen=True)
class Said:
    """Something the verifier has to say, in words of either language."""

    code: str
    where: str  # an entry or a link
    facts: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()  # ids of the messages it is about

    def text(self, lang: str) -> str:
        """The words."""
        words = WORDS[self.code][1 if lang == "ru" else 0]
        return words.format(**{name: shown(str(value)) for name, value in self.facts.items()})

    def document(self, lang: str) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = {
            "code": self.code,
            "where": shown(self.where),
            "text": self.text(lang),
        }
        if self.messages:
            found["messages"] = list(self.messages)
        return found


def shown(text: str) -> str:
    """Foreign text without what moves a cursor or turns the direction of reading, on one line."""
    return "".join(
        " " if ch in "\n\t" else ch
        for ch in text
        if ch in "\n\t" or unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )


WORDS: Final[Mapping[str, tuple[str, str]]] = {
    # altered: the archive
    "not_a_bundle": (
        "this is not an evidence bundle ({why})",
        "это не пакет доказательств ({why})",
    ),
    "archive": (
        "the archive is not written as a bundle is written ({why})",
        "архив записан не так, как записывается пакет ({why})",
    ),
    "crc": ("the bytes of the entry are damaged", "байты записи повреждены"),
    "missing": ("the entry is missing", "записи нет"),
    "extra": ("the entry does not belong here", "лишняя запись"),
    "digest": (
        "the content is not what the exporter signed",
        "содержимое не то, которое подписал составитель",
    ),
    "malformed": ("it does not follow the format: {why}", "нарушен формат: {why}"),
    "signature": ("a signature does not fit: {what}", "подпись не подходит: {what}"),
    "unknown_key": (
        "{what} is signed by a key that does not speak for this party",
        "{what}: подписано ключом, который не принадлежит этой стороне",
    ),
    "other_party": (
        "the party {node} that was asked for is not in this bundle",
        "в этом пакете нет запрошенной стороны {node}",
    ),
    # altered: the content
    "agreement": (
        "the agreement and its signatures do not fit: {why}",
        "соглашение и его подписи не сходятся: {why}",
    ),
    "addressed": (
        "message {id} is not of this link or of this side",
        "сообщение {id} не относится к этой связи или к этой стороне",
    ),
    "payload": (
        "the payload of {id} is not the one that was signed",
        "содержание сообщения {id} не то, которое было подписано",
    ),
    "chain": (
        "the chain is broken at position {seq} ({why})",
        "цепочка разорвана на позиции {seq} ({why})",
    ),
    "handoff_chain": (
        "the chain of hand-off {handoff} is broken at {hseq} ({why})",
        "цепочка передачи {handoff} разорвана на {hseq} ({why})",
    ),
    "foreign": (
        "message {id} does not belong into this bundle",
        "сообщению {id} не место в этом пакете",
    ),
    "epoch": (
        "the epoch at position {seq} does not fit ({why})",
        "эпоха на позиции {seq} не сходится ({why})",
    ),
    "rewritten": (
        "what the other side had received at position {seq} was rewritten by a later epoch",
        "полученное другой стороной на позиции {seq} было переписано более поздней эпохой",
    ),
    "receipt": (
        "a receipt names another hash for position {seq}",
        "квитанция называет другой хеш для позиции {seq}",
    ),
    "cut": (
        "messages are missing: {what} covers position {seq}, the log ends at {last}",
        "сообщений не хватает: {what} охватывает позицию {seq}, журнал кончается на {last}",
    ),
    "ack": (
        "message {id} refers to a message of the other side that is not the one shown",
        "сообщение {id} ссылается не на то сообщение другой стороны, которое показано",
    ),
    "causality": (
        "message {id} refers to a message that could only be written after it",
        "сообщение {id} ссылается на то, что могло быть написано только после него",
    ),
    "not_superseded": (
        "{id} is called superseded, but it stands in the log",
        "сообщение {id} названо отменённым, но оно стоит в журнале",
    ),
    "no_fork": (
        "{id} does not contradict the log it is laid beside",
        "{id} не противоречит журналу, рядом с которым лежит",
    ),
    "blob": ("the file is not the one that was named", "это не тот файл, который был назван"),
    # findings
    "unreceipted": (
        "{count} message(s) of {who} have no receipt of the other side in this bundle",
        "сообщений стороны «{who}» без квитанции другой стороны в этом пакете: {count}",
    ),
    "redacted": (
        "the payload of {count} message(s) of {who} was left out of this bundle by its exporter",
        "содержание сообщений стороны «{who}» не включено в пакет его составителем: {count}",
    ),
    "erased": (
        (
            "the payload of {count} message(s) of {who} was erased on a request that is signed in "
            "this bundle; the envelopes verify"
        ),
        (
            "содержание сообщений стороны «{who}» стёрто по запросу, подписанному в этом пакете; "
            "конверты проверены: {count}"
        ),
    ),
    "erased_unasked": (
        (
            "the exporter says that the payload of {count} message(s) of {who} was erased; no "
            "signed request for that is in this bundle; the envelopes verify"
        ),
        (
            "составитель говорит, что содержание сообщений стороны «{who}» стёрто, но подписанного "
            "запроса об этом в пакете нет; конверты проверены: {count}"
        ),
    ),
    "pruned": (
        (
            "the payload of {count} message(s) of {who} was dropped by the exporter when the time "
            "it is kept was over; the envelopes verify"
        ),
        (
            "содержание сообщений стороны «{who}» удалено составителем по истечении срока "
            "хранения; конверты проверены: {count}"
        ),
    ),
    "superseded": (
        "{count} copy/copies of messages of {who} were superseded by a later epoch",
        "копий сообщений стороны «{who}», отменённых более поздней эпохой: {count}",
    ),
    "fork": (
        "CONTESTED: {who} signed two different messages for position {seq}",
        "СПОРНО: сторона «{who}» подписала два разных сообщения для позиции {seq}",
    ),
    "contested_step": (
        (
            "CONTESTED: {count} step(s) of {who} that the rules do not allow there and that the "
            "other side did not refuse in this bundle; they are taken to have no effect"
        ),
        (
            "СПОРНО: шагов стороны «{who}», которых правила здесь не допускают и которые другая "
            "сторона в этом пакете не отклонила: {count}; считается, что они не подействовали"
        ),
    ),
    "contested_key": (
        (
            "CONTESTED: {count} message(s) of {who} without a receipt are signed by a key that was "
            "revoked later"
        ),
        (
            "СПОРНО: сообщений стороны «{who}» без квитанции, подписанных отозванным позже "
            "ключом: {count}"
        ),
    ),
    "contested_keys": (
        (
            "CONTESTED: {count} announcement(s) of keys of {who} that its identity did not sign; "
            "they are taken to have no effect"
        ),
        (
            "СПОРНО: объявлений ключей стороны «{who}», не подписанных её удостоверяющим ключом: "
            "{count}; считается, что они не подействовали"
        ),
    ),
    "contested_copy": (
        (
            "CONTESTED: {count} copy/copies of messages of {who} are called superseded, but no "
            "epoch that is shown supersedes them"
        ),
        (
            "СПОРНО: копий сообщений стороны «{who}», названных отменёнными, хотя ни одна "
            "показанная эпоха их не отменяет: {count}"
        ),
    ),
    "contested_terms": (
        (
            "CONTESTED: {count} message(s) of {who} name a revision of the agreement that both "
            "sides have not signed in this bundle"
        ),
        (
            "СПОРНО: сообщений стороны «{who}», ссылающихся на редакцию соглашения, которую в этом "
            "пакете не подписали обе стороны: {count}"
        ),
    ),
    "rejected": (
        "{count} message(s) of {who} were refused by the other side and had no effect",
        "сообщений стороны «{who}», отклонённых другой стороной (не подействовали): {count}",
    ),
    "unreadable": (
        "the payload of {count} message(s) of {who} cannot be read, though it is the signed one",
        "содержание сообщений стороны «{who}» нечитаемо, хотя подписано именно оно: {count}",
    ),
    "partial": (
        "only a part of the log of {who} is shown, from position {first}",
        "показана только часть журнала стороны «{who}», начиная с позиции {first}",
    ),
    "custody": (
        (
            "{who} had no node: {other} sealed its messages for it, {count} of them on the "
            "strength of letters and pages that are named here"
        ),
        (
            "У стороны «{who}» не было узла: её сообщения запечатывала сторона «{other}»; из них "
            "на основании названных здесь писем и страниц: {count}"
        ),
    ),
    "files_named": (
        "{count} file(s) are named by their digest only",
        "файлов, которые только названы хешем: {count}",
    ),
    "free_entry": (
        "{name} is not the one that was exported; it is no evidence, do not trust it",
        (
            "{name}: это не тот файл, который был создан при выгрузке; он не доказательство, "
            "не доверяйте ему"
        ),
    ),
}

TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "verified": ("VERIFIED", "ПРОВЕРЕНО"),
    "altered": ("ALTERED", "ИЗМЕНЕНО"),
    "title": ("Evidence of a ticket exchange", "Доказательства обмена заявками"),
    "exporter": ("Exported by", "Составил"),
    "made_at": ("at", "когда"),
    "scope": ("About", "О чём"),
    "ticket": ("ticket {number} of the exporter", "заявка {number} составителя"),
    "link": ("a link", "связь"),
    "since": ("from {at}", "с {at}"),
    "until": ("to {at}", "по {at}"),
    "parties": ("Parties", "Стороны"),
    "inviter": ("inviter", "приглашающая"),
    "invitee": ("invitee", "приглашённая"),
    "agreement": ("Agreement", "Соглашение"),
    "digits": ("Comparison digits", "Цифры для сверки"),
    "handoff": ("Hand-off", "Передача"),
    "principal": ("principal", "заказчик"),
    "contractor": ("contractor", "исполнитель"),
    "state": ("state", "состояние"),
    "round": ("returned", "возвратов"),
    "problems": ("What is wrong", "Что не так"),
    "findings": ("Findings (no failures)", "Замечания (не нарушения)"),
    "none": ("none", "нет"),
    "timeline": ("Timeline", "Хронология"),
    "claimed": ("Claimed", "Заявлено"),
    "receipted": ("Receipted", "Получено"),
    "who": ("By", "Кто"),
    "what": ("What", "Что"),
    "no_receipt": ("no receipt", "нет квитанции"),
    "not_proved": ("What this does not prove", "Чего это не доказывает"),
    "redacted": ("left out", "не включено"),
    "erased": ("erased on request", "стёрто по запросу"),
    "erased_unasked": ("erased, nobody's request is shown", "стёрто, запрос не показан"),
    "pruned": ("kept long enough", "срок хранения вышел"),
    "superseded": ("superseded", "отменено"),
    "contested": ("contested", "спорно"),
    "rejected": ("refused", "отклонено"),
    "unreadable": ("unreadable", "нечитаемо"),
}

NOT_PROVED: Final = (
    (
        "That what was written is true: only that exactly this was written, and by whom.",
        "Что написанное — правда: только то, что написано именно это, и кем.",
    ),
    (
        "The time: 'claimed' is the clock of who wrote, 'receipted' the clock of who received.",
        "Время: «заявлено» — это часы написавшего, «получено» — часы получившего.",
    ),
    (
        (
            "That nothing was said later or elsewhere: behind the last receipt an exporter can "
            "leave messages out, and people also use telephones."
        ),
        (
            "Что потом или по другим каналам ничего не говорилось: после последней квитанции "
            "составитель может что-то не показать, а люди пользуются и телефоном."
        ),
    ),
    (
        (
            "Which company a key belongs to: compare the party ids above with what you know "
            "of them from elsewhere (or name them with --party)."
        ),
        (
            "Какой компании принадлежит ключ: сверьте указанные выше идентификаторы сторон с тем, "
            "что вы знаете о них из других источников (или назовите их в --party)."
        ),
    ),
)


# --- bytes --------------------------------------------------------------------------------------

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**53 - 1
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UNSENDABLE: Final = re.compile(
    "[\x00\ud800-\udfff\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_ID: Final = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_-]*)+")


class Flaw(ValueError):  # noqa: N818
    """Why something does not follow the format."""


def strict_json(data: bytes | str, most: int) -> dict[str, Any]:
    """The object written there. Raises Flaw for whatever two parsers could read in two ways."""
    try:
        text, raw = (data, data.encode()) if isinstance(data, str) else (data.decode(), data)
        if len(raw) > most:
            raise Flaw(f"longer than {most} bytes")
        value = _DECODER.decode(text)
    except Flaw:
        raise
    except (ValueError, RecursionError) as error:
        raise Flaw(f"not strict JSON: {error}"[:120]) from None
    if type(value) is not dict:
        raise Flaw("the top level is not an object")
    level: list[Any] = [value]
    for _depth in range(MAX_DEPTH):
        level = [inner for container in level for inner in _deeper(container)]
        if not level:
            return value
    raise Flaw("nested too deep")


def _deeper(container: Any) -> Iterator[Any]:
    """The containers inside this one, after everything else in it was checked."""
    if type(container) is dict:
        for name in container:
            if _NAME.fullmatch(name) is None:
                raise Flaw("a member name is not allowed")
    for one in container.values() if type(container) is dict else container:
        if type(one) is str:
            if _UNSENDABLE.search(one):
                raise Flaw("a character that may not be sent")
        elif type(one) is dict or type(one) is list:
            yield one
        elif type(one) is int and not -MAX_INTEGER <= one <= MAX_INTEGER:
            raise Flaw("an integer is out of range")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Flaw("a member appears twice")
    return made


def _no_number(text: str) -> NoReturn:
    raise Flaw(f"{text[:20]} is not an integer")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_no_number, parse_constant=_no_number, strict=True
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def b64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The bytes; raises Flaw unless encoding them again gives this very text."""
    try:
        coded = text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/"))
        data = binascii.a2b_base64(coded + b"=" * (-len(coded) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise Flaw("not base64url") from None
    if b64url(data) != text:
        raise Flaw("not the one spelling of base64url")
    return data


def hash_of(data: bytes) -> str:
    """SHA-256 in base64url."""
    return b64url(sha256(data).digest())


class Members:
    """Reads one object; every method raises Flaw naming the member."""

    def __init__(self, data: object) -> None:
        if type(data) is not dict:
            raise Flaw("not an object")
        self.raw: dict[str, Any] = data

    def exactly(self, *names: str) -> Members:
        """There are these members and no others."""
        if self.raw.keys() != set(names):
            raise Flaw("unexpected members: " + ", ".join(sorted(self.raw.keys() ^ set(names))))
        return self

    def text(self, name: str, most: int = 200) -> str:
        """A text, not empty."""
        value = self.raw.get(name)
        if type(value) is not str or not 0 < len(value) <= most:
            raise Flaw(name)
        return value

    def number(self, name: str, least: int = 0) -> int:
        """An integer, not less than `least`."""
        value = self.raw.get(name)
        if type(value) is not int or not least <= value <= MAX_INTEGER:
            raise Flaw(name)
        return value

    def digest(self, name: str) -> str:
        """A hash or a node id."""
        return _shape(name, self.raw.get(name), _HASH)

    def an_id(self, name: str, prefix: str) -> str:
        """An id of this kind."""
        value = _shape(name, self.raw.get(name), _ID)
        if not value.startswith(prefix):
            raise Flaw(name)
        return value

    def instant(self, name: str) -> str:
        """An instant, as it is spelled; spelled so, instants sort as texts."""
        value = _shape(name, self.raw.get(name), _INSTANT)
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise Flaw(name) from None
        return value

    def nested(self, name: str) -> Members:
        """An object."""
        try:
            return Members(self.raw.get(name))
        except Flaw:
            raise Flaw(name) from None

    def array(self, name: str) -> list[Any]:
        """An array."""
        value = self.raw.get(name)
        if type(value) is not list:
            raise Flaw(name)
        return value

    def position(self, name: str) -> tuple[int, str]:
        """`[number, hash]`."""
        return position(name, self.raw.get(name))


def _shape(name: str, value: object, shape: re.Pattern[str]) -> str:
    if type(value) is not str or shape.fullmatch(value) is None:
        raise Flaw(name)
    return value


def position(name: str, value: object) -> tuple[int, str]:
    """`[number, hash]` as a pair. Raises Flaw."""
    if type(value) is not list or len(value) != 2 or type(value[0]) is not int:
        raise Flaw(name)
    if not 0 < value[0] <= MAX_INTEGER:
        raise Flaw(name)
    return value[0], _shape(name, value[1], _HASH)


# --- keys and signatures ------------------------------------------------------------------------

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)  # of -1
_NEUTRAL: Final = (0, 1, 1, 0)
Point = tuple[int, int, int, int]


def _point(raw: bytes) -> Point:
    """The point of the curve with this canonical encoding (RFC 8032 §5.1.3). Raises Flaw."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        raise Flaw("not a canonical point")
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * _ROOT % _P
    if v * x * x % _P != u or (x == 0 and sign):
        raise Flaw("not a point of the curve")
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _add(a: Point, b: Point) -> Point:
    """Sum in extended coordinates (RFC 8032 §5.1.4)."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    c, d = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(count: int, point: Point) -> Point:
    total = _NEUTRAL
    while count:
        if count & 1:
            total = _add(total, point)
        point = _add(point, point)
        count >>= 1
    return total


def _is_neutral(point: Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0


@dataclass(frozen=True)
class Key:
    """A public key of prime order, by its RFC 7638 thumbprint."""

    raw: bytes
    kid: str

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether this key signed exactly that, strictly: S < L and R not of low order."""
        if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= _L:
            return False
        if signature[:32] in _LOW_ORDER:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True


_LOW_ORDER: Final = frozenset(
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)
"""The eight points whose order divides 8: OpenSSL takes them for an R, the protocol does not."""


@lru_cache(maxsize=4096)
def key_of(x: str) -> Key:
    """The key with this `x` of a JWK. Raises Flaw unless it may be pinned."""
    raw = unb64url(x)
    if len(raw) != 32:
        raise Flaw("a key has 32 bytes")
    point = _point(raw)
    if _is_neutral(point) or not _is_neutral(_times(_L, point)):
        raise Flaw("not a key of prime order")
    return Key(raw, hash_of(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()))


def key_of_jwk(jwk: Members) -> Key:
    """The key of a JWK of exactly our shape. Raises Flaw."""
    jwk.exactly("kty", "crv", "x")
    if (jwk.raw["kty"], jwk.raw["crv"]) != ("OKP", "Ed25519"):
        raise Flaw("not an Ed25519 key")
    return key_of(jwk.text("x"))


@dataclass(frozen=True)
class Signed:
    """A compact JWS of the right shape; believed only after `check`."""

    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def hash(self) -> str:
        """What chains and receipts name: over what was signed, without the signature."""
        return hash_of(self.signing_input)

    def check(self, key: Key, what: str) -> None:
        """Return if `key` signed it. Raises Flaw."""
        if key.kid != self.kid or not key.verify(self.signature, self.signing_input):
            raise Flaw(f"{what}: the signature does not fit")


def peek(text: str, typ: str, most: int = MAX_JWS) -> Signed:
    """Take a JWS of this type apart. Raises Flaw unless the shape is exactly ours."""
    parts = text.split(".") if len(text) <= most else []
    if len(parts) != 3 or not parts[1] or len(parts[2]) != 86 or len(parts[0]) > 300:
        raise Flaw("not three parts of base64url")
    header = Members(_header(parts[0])).exactly("alg", "kid", "typ")
    if header.raw["alg"] != "Ed25519" or header.raw["typ"] != typ:
        raise Flaw(f"not signed as {typ} with Ed25519")
    return Signed(
        header.digest("kid"),
        unb64url(parts[1]),
        f"{parts[0]}.{parts[1]}".encode("ascii"),
        unb64url(parts[2]),
    )


@lru_cache(maxsize=1024)
def _header(text: str) -> dict[str, Any]:
    return strict_json(unb64url(text), 300)


@dataclass(frozen=True)
class KeySet:
    """Which keys speak for a node, as its identity signed it."""

    node_id: str
    version: int
    identity_version: int
    msg: tuple[tuple[str, Key], ...]  # (not_before, key), in the order of the set
    revoked: frozenset[str]

    @property
    def current(self) -> Key:
        """The message key to sign with: the newest that is not revoked. Raises Flaw."""
        found = [one for one in self.msg if one[1].kid not in self.revoked]
        if not found:
            raise Flaw("the key set has no message key")
        return max(found, key=lambda one: one[0])[1]

    def find(self, kid: str) -> Key | None:
        """The message key of this name, unless it is revoked."""
        for _since, key in self.msg:
            if key.kid == kid and kid not in self.revoked:
                return key
        return None


def open_key_set(text: str, identity: Key) -> KeySet:
    """The key set, if this identity signed it. Raises Flaw."""
    signed = peek(text, "txp-keys+jws")
    signed.check(identity, "key set")
    data = Members(strict_json(signed.payload, MAX_DATA))
    entries, seen = [], set()
    for one in data.array("keys"):
        entry = Members(one)
        key = key_of_jwk(entry.nested("jwk"))
        if entry.digest("kid") != key.kid or key.kid in seen:
            raise Flaw("key set: kid")
        seen.add(key.kid)
        use, since = entry.text("use", 8), entry.instant("not_before")
        if use not in {"msg", "http"}:
            raise Flaw("key set: use")
        if use == "msg":
            entries.append((since, key))
    found = KeySet(
        data.digest("node_id"),
        data.number("version", 1),
        data.number("identity_version", 1),
        tuple(entries),
        frozenset(Members(one).digest("kid") for one in data.array("revoked")),
    )
    if found.identity_version == 1 and found.node_id != identity.kid:
        raise Flaw("key set: node_id is not the thumbprint of the identity")
    return found


MAX_SUCCESSIONS: Final = 16


def follow(pinned: Key, node_id: str, texts: Sequence[object]) -> tuple[Key, ...]:
    """The identity keys of this node from the pinned one on; each step is signed by both keys.

    Statements before the pinned key are passed over. Raises Flaw.
    """
    if len(texts) % 2 or len(texts) > 2 * MAX_SUCCESSIONS:
        raise Flaw("succession: each change is two texts")
    keys = [pinned]
    for by_old, by_new in zip(texts[::2], texts[1::2], strict=True):
        if type(by_old) is not str or type(by_new) is not str:
            raise Flaw("succession")
        first, second = (peek(text, "txp-identity+jws", 2048) for text in (by_old, by_new))
        data = Members(strict_json(first.payload, 2048))
        old, new = key_of_jwk(data.nested("old")), key_of_jwk(data.nested("new"))
        if first.payload != second.payload or data.digest("node_id") != node_id or old == new:
            raise Flaw("succession: not one statement about this node")
        first.check(old, "succession")
        second.check(new, "succession")
        if old == keys[-1]:
            keys.append(new)
    return tuple(keys)


def open_by_any(text: str, identities: Sequence[Key]) -> KeySet:
    """The key set, if one of these identities signed it. Raises Flaw."""
    kid = peek(text, "txp-keys+jws").kid
    for identity in identities:
        if identity.kid == kid:
            return open_key_set(text, identity)
    raise Flaw("key set: signed by another identity")


# --- the archive --------------------------------------------------------------------------------

_LOCAL: Final = struct.Struct("<IHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<IHHHHIIH")
_ENTRY: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}(?:/[a-z0-9][a-z0-9_.-]{0,99}){0,3}")
_VERSION: Final = 20
_DATE: Final = 0x21  # 1980-01-01: an archive says nothing about when and where it was written
_UNIX: Final = 0x0314
_MODE: Final = 0o100644 << 16


def local_header(name: bytes, crc: int, size: int) -> bytes:
    """What stands before the bytes of an entry: stored as they are, never compressed."""
    fixed = (0x04034B50, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0)
    return _LOCAL.pack(*fixed) + name


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    """The line of an entry in the list at the end."""
    fixed = (0x02014B50, _UNIX, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name))
    return _CENTRAL.pack(*fixed, 0, 0, 0, 0, _MODE, offset) + name


def end_of_archive(count: int, size: int, offset: int) -> bytes:
    """The last bytes."""
    return _END.pack(0x06054B50, 0, 0, count, count, size, offset, 0)


@dataclass(frozen=True)
class Entry:
    """One entry: where its bytes lie."""

    name: str
    start: int
    size: int
    crc: int


class Archive:
    """The entries of a bundle. Raises Altered unless the file is what its entries make of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0, os.SEEK_END)
        self._size = file.tell()
        self.entries = {one.name: one for one in self._list()}

    def _list(self) -> list[Entry]:
        if not _END.size <= self._size <= MAX_BUNDLE:
            raise Altered("", "not_a_bundle", why=f"{self._size} bytes")
        end = self._bytes(self._size - _END.size, _END.size)
        _sign, _disk, _first, count, _here, size, offset, _comment = _END.unpack(end)
        if not 0 < count <= MAX_ENTRIES or offset + size + _END.size != self._size:
            raise Altered("", "not_a_bundle", why="no list of entries at its end")
        if end != end_of_archive(count, size, offset):
            raise Altered("", "archive", why="its end")
        central = self._bytes(offset, size)
        found: list[Entry] = []
        at = data_at = 0
        for _ in range(count):
            entry, at, data_at = self._entry(central, at, data_at)
            if found and not found[-1].name < entry.name:
                raise Altered(entry.name, "archive", why="entries out of order or doubled")
            found.append(entry)
        if at != size or data_at != offset:
            raise Altered("", "archive", why="bytes between the entries")
        return found

    def _entry(self, central: bytes, at: int, data_at: int) -> tuple[Entry, int, int]:
        """The entry listed at `at`, whose header must stand at `data_at`; both positions behind."""
        if len(central) < at + _CENTRAL.size:
            raise Altered("", "archive", why="the list of entries is cut")
        fixed = _CENTRAL.unpack_from(central, at)
        crc, size, length = fixed[7], fixed[9], fixed[10]
        name = central[at + _CENTRAL.size : at + _CENTRAL.size + length]
        text = name.decode("ascii", "replace")
        if _ENTRY.fullmatch(text) is None:
            raise Altered(text, "archive", why="the name of an entry")
        line = central_header(name, crc, size, data_at)
        if central[at : at + len(line)] != line:
            raise Altered(text, "archive", why="the list of entries")
        header = local_header(name, crc, size)
        if self._bytes(data_at, len(header)) != header:
            raise Altered(text, "archive", why="the header of the entry")
        start = data_at + len(header)
        return Entry(text, start, size, crc), at + len(line), start + size

    def _bytes(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        found = self._file.read(size)
        if len(found) != size:
            raise Altered("", "archive", why="it ends too early")
        return found

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry, piece by piece; at their end their checksum was right."""
        entry = self.entries[name]
        crc, at = 0, entry.start
        while at < entry.start + entry.size:
            chunk = self._bytes(at, min(_CHUNK, entry.start + entry.size - at))
            crc = zlib.crc32(chunk, crc)
            at += len(chunk)
            yield chunk
        if crc != entry.crc:
            raise Altered(name, "crc")

    def read(self, name: str, most: int) -> bytes:
        """A whole entry."""
        if name not in self.entries:
            raise Altered(name, "missing")
        if self.entries[name].size > most:
            raise Altered(name, "malformed", why=f"longer than {most} bytes")
        return b"".join(self.chunks(name))

    def digest(self, name: str) -> str:
        """SHA-256 of an entry, hex."""
        running = sha256()
        for chunk in self.chunks(name):
            running.update(chunk)
        return running.hexdigest()


# --- the manifest -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What the bundle has of one link."""

    link: str
    folder: str
    handoffs: tuple[str, ...]  # of a ticket; empty: the link itself


@dataclass(frozen=True)
class Manifest:
    """The table of contents, as the exporter signed it."""

    exporter: str
    made_at: str
    key_set: str
    kind: str  # ticket | link
    number: str  # the exporter's number of the ticket
    since: str  # of a link; empty: from its beginning
    until: str
    redacted: tuple[str, ...]
    files: str  # included | digests
    parts: tuple[Part, ...]
    entries: Mapping[str, tuple[int, str]]  # name → size, SHA-256


def read_manifest(payload: bytes) -> Manifest:
    """The manifest in a payload nobody has verified yet. Raises Flaw."""
    data = Members(strict_json(payload, MAX_MANIFEST))
    if data.text("format") != FORMAT:
        raise Flaw("format")
    scope = data.nested("scope")
    kind = scope.text("kind", 10)
    if kind not in {"ticket", "link"}:
        raise Flaw("scope")
    parts = tuple(_part(Members(one), kind) for one in data.array("links"))
    if not parts or len({one.folder for one in parts}) != len(parts):
        raise Flaw("links")
    if len({one.link for one in parts}) != len(parts) or (kind == "link" and len(parts) != 1):
        raise Flaw("links")
    entries = {}
    for one in data.array("entries"):
        entry = Members(one).exactly("name", "size", "sha256")
        entries[entry.text("name", 500)] = (entry.number("size"), entry.digest("sha256"))
    if list(entries) != sorted(entries) or len(entries) != len(data.array("entries")):
        raise Flaw("entries")
    if data.array("free") != list(FREE):
        raise Flaw("free")
    files = data.text("files", 10)
    if files not in {"included", "digests"}:
        raise Flaw("files")
    redacted = data.array("redacted")
    if not all(type(one) is str for one in redacted):
        raise Flaw("redacted")
    return Manifest(
        data.digest("exporter"),
        data.instant("made_at"),
        data.text("key_set", MAX_JWS),
        kind,
        scope.text("number") if kind == "ticket" else "",
        scope.instant("since") if "since" in scope.raw else "",
        scope.instant("until") if "until" in scope.raw else "",
        tuple(redacted),
        files,
        parts,
        entries,
    )


def _part(data: Members, kind: str) -> Part:
    folder = data.text("folder")
    handoffs = tuple(data.array("handoffs")) if "handoffs" in data.raw else ()
    for one in handoffs:
        _shape("handoffs", one, _ID)
    if re.fullmatch(r"links/[1-9][0-9]{0,3}", folder) is None or bool(handoffs) != (
        kind == "ticket"
    ):
        raise Flaw("links")
    return Part(data.an_id("link", "lnk_"), folder, handoffs)


# --- one link -----------------------------------------------------------------------------------

Reader = Callable[[str], bytes]


@dataclass
class Message:
    """One signed message, and what was found out about it."""

    side: str
    env: str
    data: str | None
    missing: str  # one of MISSING, where there is no data
    signed: Signed
    link: str
    sender: str
    receiver: str
    id: str
    epoch: int
    seq: int
    prev: str
    agreement: int
    ack: tuple[int, str] | None
    type: str
    handoff: str | None
    hseq: int
    hprev: str
    at: str
    data_hash: str
    payload: dict[str, Any] | None = None  # without its salt; None: left out or unreadable
    receipted_at: str | None = None
    before: str | None = None  # state of the hand-off, where this is a step
    after: str | None = None
    marks: list[str] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)  # codes of findings

    def contest(self, code: str) -> None:
        """Somebody may dispute it, as the finding of this code says."""
        self.marks.append("contested")
        self.disputes.append(code)

    @property
    def hash(self) -> str:
        """Its message hash."""
        return self.signed.hash


def read_message(line: Members, side: str) -> Message:
    """A message of a log; its signature is not checked yet. Raises Flaw."""
    data = line.raw.get("data")
    missing = ""
    if data is None:
        missing = line.exactly("env", "data", "missing").text("missing", 10)
        if missing not in MISSING:
            raise Flaw("missing")
    elif type(line.exactly("env", "data").raw["data"]) is not str:
        raise Flaw("data")
    text = line.text("env", MAX_ENV)
    signed = peek(text, "txp-msg+jws", MAX_ENV)
    env = Members(strict_json(signed.payload, MAX_ENV))
    if env.raw.get("v") not in VERSIONS or type(env.raw.get("must")) is not bool:
        raise Flaw("v or must")
    kind = _shape("type", env.text("type", 100), _TYPE)
    if not env.text("dt", 105).startswith(kind + "/"):
        raise Flaw("dt")
    of_handoff = [name in env.raw for name in ("handoff", "hseq", "hprev")]
    if any(of_handoff) != all(of_handoff):
        raise Flaw("handoff, hseq and hprev come together")
    there = of_handoff[0]
    return Message(
        side=side,
        env=text,
        data=data,
        missing=missing,
        signed=signed,
        link=env.an_id("link", "lnk_"),
        sender=env.digest("from"),
        receiver=env.digest("to"),
        id=env.an_id("id", "msg_"),
        epoch=env.number("ep"),
        seq=env.number("seq", 1),
        prev=env.digest("prev"),
        agreement=env.number("agr", 1),
        ack=env.position("ack") if "ack" in env.raw else None,
        type=kind,
        handoff=env.an_id("handoff", "hnd_") if there else None,
        hseq=env.number("hseq", 1) if there else 0,
        hprev=env.digest("hprev") if there else "",
        at=env.instant("ts"),
        data_hash=env.digest("dh"),
    )


@dataclass
class Party:
    """One of the two sides of a link, as the agreement pins it."""

    side: str
    node_id: str
    name: str
    base_url: str
    identity: Key
    key_set_version: int
    identities: tuple[Key, ...] = ()  # the pinned one and those that followed it
    sets: dict[int, KeySet] = field(default_factory=dict)  # every version that is known
    ranges: list[tuple[int, int]] = field(default_factory=list)  # (first position, version)

    def learn(self, texts: Sequence[object]) -> None:
        """The key sets of this party, whenever they came. Raises Flaw."""
        for text in texts:
            if type(text) is not str:
                raise Flaw("key sets")
            found = open_by_any(text, self.identities)
            if found.node_id != self.node_id or self.sets.setdefault(found.version, found) != found:
                raise Flaw("a key set of another node, or two of one version")

    @property
    def revoked(self) -> frozenset[str]:
        """Keys the party has called off."""
        return frozenset().union(*(one.revoked for one in self.sets.values()))

    def pin(self, version: int, seq: int) -> None:
        """The message key of this set seals from here on. Raises Flaw."""
        if version not in self.sets:
            raise Flaw("the key set of the agreement is missing")
        self.sets[version].current  # noqa: B018 - raises where it has none
        if not self.ranges or version > self.ranges[-1][1]:
            self.ranges.append((seq, version))

    def key_at(self, kid: str, seq: int) -> Key | None:
        """The key of this name, if it seals at this position; None if it does not.

        Where the key of the position was called off, that of any later set stands in for it:
        the other side was told of it beside the stream.
        """
        version = max(version for first, version in self.ranges if first <= seq)
        key = self.sets[version].current
        if key.kid == kid:
            return key
        if key.kid not in self.revoked:
            return None
        for later, key_set in self.sets.items():
            if later > version and key_set.current.kid == kid:
                return key_set.current
        return None

    def any_key(self, kid: str) -> Key | None:
        """The message key of this name, if it is in any of the sets."""
        for key_set in self.sets.values():
            for _since, key in key_set.msg:
                if key.kid == kid:
                    return key
        return None


@dataclass
class Handoff:
    """Where a hand-off stands by what the bundle shows."""

    id: str
    principal: str  # side
    state: str
    round: int
    title: str


@dataclass
class LinkView:
    """One link of the bundle, checked."""

    part: Part
    parties: dict[str, Party]
    agreement_hash: str
    digits: str
    made_at: str
    logs: dict[str, list[Message]]
    superseded: list[Message]
    forks: list[Message]
    revisions: dict[int, str] = field(default_factory=dict)  # number → hash of the agreement
    handoffs: list[Handoff] = field(default_factory=list)
    timeline: list[Message] = field(default_factory=list)
    findings: list[Said] = field(default_factory=list)

    def other(self, side: str) -> str:
        """The other side."""
        return SIDES[1 - SIDES.index(side)]

    def name(self, side: str) -> str:
        """How the agreement calls this side."""
        return self.parties[side].name


class LinkCheck:
    """Checks everything about one link. Raises Altered at the first thing that does not hold."""

    def __init__(self, part: Part, manifest: Manifest, read: Reader) -> None:
        self._part = part
        self._manifest = manifest
        self._read = read
        self._full = manifest.kind == "link" and not manifest.since
        self._epochs: dict[str, list[tuple[int, int]]] = {}
        self._by_seq: dict[str, dict[int, Message]] = {}

    def run(self) -> LinkView:
        """The link, if all of it holds together."""
        view = self._agreed()
        for side in SIDES:
            view.logs[side] = self._log(view, side)
        view.superseded += self._aside(view, "superseded.ndjson")
        view.forks += self._aside(view, "forks.ndjson")
        for side in SIDES:
            self._check_order(view, side)
            self._check_handoff_chains(view, side)
        self._check_missing(view)
        self._check_revisions(view)
        self._check_superseded(view)
        self._check_forks(view)
        self._check_acks(view)
        self._check_receipts(view)
        self._replay(view)
        view.timeline = list(_merged(*(view.logs[side] for side in SIDES)))
        self._find(view)
        self._find_custody(view)
        return view

    def _find_custody(self, view: LinkView) -> None:
        """What stands behind messages that one side's node sealed for the other, which had none.

        A letter that is named and here is the very one; what it says is for people to compare.
        """
        name, named = self._entry("custody.ndjson"), set[str]()
        if name not in self._manifest.entries:
            return
        agreed = Members(strict_json(self._read(self._entry("agreement.json")), MAX_DATA))
        offer = strict_json(agreed.nested("offers").text("invitee", MAX_DATA), MAX_DATA)
        if "custody" not in offer:
            raise Altered(name, "malformed", why="the agreement says nothing of it")
        known = {one.id for one in view.timeline if one.side == "invitee"}
        for line in self._lines("custody.ndjson"):
            try:
                if line.an_id("message", "msg_") not in known:
                    raise Flaw("about a message that is not here")
                line.text("way", 8)
                line.instant("at")
                if "letter" in line.raw:
                    named.add(line.nested("letter").digest("sha256"))
            except Flaw as flaw:
                raise Altered(name, "malformed", why=flaw) from None
        for entry, (_size, digest) in self._manifest.entries.items():
            if not entry.startswith(self._entry("letters/")):
                continue
            here = b64url(bytes.fromhex(entry[-68:-4]))
            if here != digest or here not in named:
                raise Altered(entry, "blob")
        facts = {
            "who": view.name("invitee"),
            "other": view.name("inviter"),
            "count": sum(1 for _line in self._lines("custody.ndjson")),
        }
        view.findings.append(Said("custody", view.part.link, facts))

    def _entry(self, name: str) -> str:
        return f"{self._part.folder}/{name}"

    # what both signed

    def _agreed(self) -> LinkView:
        entry = self._entry("agreement.json")
        raw = self._read(entry)
        try:
            data = Members(strict_json(raw, MAX_DATA))
            parties = {side: _party(side, data.nested(side)) for side in SIDES}
            if data.an_id("link", "lnk_") != self._part.link or data.number("revision") != 1:
                raise Flaw("another link or revision")
            left, right = (parties[side] for side in SIDES)
            if left.node_id == right.node_id or left.identity == right.identity:
                raise Flaw("a node cannot agree with itself")
            made_at = data.instant("made_at")
        except Flaw as flaw:
            raise Altered(entry, "agreement", why=flaw) from None
        hash_ = hash_of(raw)
        entry = self._entry("proof.json")
        try:
            proof = Members(strict_json(self._read(entry), MAX_PROOF))
            proof.exactly("signatures", "key_sets", "successions")
            signatures = proof.nested("signatures").exactly(*SIDES)
            key_sets = proof.nested("key_sets").exactly(*SIDES)
            successions = proof.nested("successions").exactly(*SIDES)
            for side, party in parties.items():
                _check_agreed(signatures.text(side, MAX_ENV), party, hash_, self._part.link)
                party.identities = follow(party.identity, party.node_id, successions.array(side))
                party.learn(key_sets.array(side))
                party.pin(party.key_set_version, 1)
        except Flaw as flaw:
            raise Altered(entry, "agreement", why=flaw) from None
        return LinkView(
            self._part,
            parties,
            hash_,
            _digits(raw),
            made_at,
            {side: [] for side in SIDES},
            [],
            [],
            {1: hash_},
        )

    # what each wrote

    def _lines(self, name: str) -> Iterator[Members]:
        entry = self._entry(name)
        raw = self._read(entry)
        if not raw:
            return
        if not raw.endswith(b"\n"):
            raise Altered(entry, "malformed", why="the last line is cut")
        for line in raw[:-1].split(b"\n"):
            try:
                said = strict_json(line, MAX_LINE)
                if _ENCODER.encode(said).encode() != line:
                    raise Flaw("not the one spelling of a line")
                yield Members(said)
            except Flaw as flaw:
                raise Altered(entry, "malformed", why=flaw) from None

    def _message(self, view: LinkView, entry: str, line: Members, side: str | None) -> Message:
        """A message of this link by this side (or by whoever it names). Raises Altered."""
        try:
            message = read_message(line, side or "")
        except Flaw as flaw:
            raise Altered(entry, "malformed", why=flaw) from None
        if side is None:
            side = next(
                (one for one in SIDES if view.parties[one].node_id == message.sender), SIDES[0]
            )
            message.side = side
        addressed = (view.part.link, view.parties[side].node_id, self._peer(view, side).node_id)
        if (message.link, message.sender, message.receiver) != addressed:
            raise Altered(entry, "addressed", id=message.id)
        return message

    def _peer(self, view: LinkView, side: str) -> Party:
        return view.parties[view.other(side)]

    def _prove(self, entry: str, message: Message, key: Key | None) -> None:
        """The signature and the payload of a message. Raises Altered."""
        if key is None:
            raise Altered(entry, "unknown_key", what=message.id)
        try:
            message.signed.check(key, message.id)
        except Flaw:
            raise Altered(entry, "signature", what=message.id) from None
        if message.data is None:
            return
        raw = message.data.encode()
        if len(raw) > MAX_DATA or hash_of(raw) != message.data_hash:
            raise Altered(entry, "payload", id=message.id)
        try:
            payload = Members(strict_json(raw, MAX_DATA))
            if len(unb64url(payload.text("salt"))) != 16:
                raise Flaw("salt")
        except Flaw:
            message.marks.append("unreadable")
            return
        message.payload = {name: one for name, one in payload.raw.items() if name != "salt"}

    def _log(self, view: LinkView, side: str) -> list[Message]:
        entry, party = self._entry(f"{side}.ndjson"), view.parties[side]
        found: list[Message] = []
        for line in self._lines(f"{side}.ndjson"):
            message = self._message(view, entry, line, side)
            if found and message.seq <= found[-1].seq:
                raise Altered(entry, "chain", seq=message.seq, why="out of order")
            self._prove(entry, message, party.key_at(message.signed.kid, message.seq))
            found.append(message)
            if message.type == "link.keys":
                self._rotate(party, message)
        self._by_seq[side] = {one.seq: one for one in found}
        return found

    def _rotate(self, party: Party, message: Message) -> None:
        """A key set that came in the stream: its key seals behind it.

        One that its party's identity did not sign was refused by the other side: no effect.
        """
        said = message.payload
        try:
            if said is None:  # erased: the next of the sets that are known
                coming = [one for one in party.sets if one > party.ranges[-1][1]]
                party.pin(min(coming, default=0), message.seq + 1)
                return
            text = Members(said).text("key_set", MAX_DATA)
            later = said.get("succession", [])
            if type(later) is not list:
                raise Flaw("succession")
            found = follow(party.identities[-1], party.node_id, later)
            party.identities += found[1:]
            party.learn([text])
            party.pin(open_by_any(text, party.identities).version, message.seq + 1)
        except Flaw:
            message.contest("contested_keys")

    def _aside(self, view: LinkView, name: str) -> list[Message]:
        """Messages that are not part of a log: superseded copies, contradictions."""
        entry = self._entry(name)
        found = []
        for line in self._lines(name):
            message = self._message(view, entry, line, None)
            self._prove(entry, message, view.parties[message.side].any_key(message.signed.kid))
            found.append(message)
        return found

    # how what was written hangs together

    def _check_order(self, view: LinkView, side: str) -> None:
        """Every message follows from the one before it, as far as both are shown."""
        entry, log = self._entry(f"{side}.ndjson"), view.logs[side]
        start = self._start(log)
        self._epochs[side] = epochs = [(1, 1)]
        before: Message | None = None
        for index, message in enumerate(log):
            if index < start and (message.type not in SUPPORT or self._full):
                code = "chain" if self._full else "foreign"
                facts = {"seq": message.seq, "why": "a gap"} if self._full else {"id": message.id}
                raise Altered(entry, code, **facts)
            if self._part.handoffs and (
                message.handoff not in self._part.handoffs
                and (message.type not in SUPPORT or message.handoff is not None)
            ):
                raise Altered(entry, "foreign", id=message.id)
            expected = None
            if message.seq == 1:
                expected = view.agreement_hash
            elif before is not None and before.seq == message.seq - 1:
                expected = before.hash
            elif self._full:
                raise Altered(entry, "chain", seq=message.seq, why="a gap")
            if expected is not None and message.prev != expected:
                raise Altered(entry, "chain", seq=message.seq, why="prev")
            self._take_epoch(entry, epochs, message)
            before = message

    def _start(self, log: Sequence[Message]) -> int:
        """The index from which a log of a link is without gaps; of a ticket everything may have."""
        if self._part.handoffs:
            return 0
        start = len(log) - 1
        while start > 0 and log[start - 1].seq == log[start].seq - 1:
            start -= 1
        return max(start, 0)

    def _take_epoch(self, entry: str, epochs: list[tuple[int, int]], message: Message) -> None:
        if message.type == "link.epoch" and message.epoch != epochs[-1][0]:
            # Its payload may be erased: the envelope says the same.
            said = message.payload or {"epoch": message.epoch, "start_seq": message.seq}
            place = (message.epoch, message.seq)
            if (said.get("epoch"), said.get("start_seq")) != place or place[0] < epochs[-1][0]:
                raise Altered(entry, "epoch", seq=message.seq, why="link.epoch")
            epochs.append((message.epoch, message.seq))
        if message.epoch != epochs[-1][0]:
            raise Altered(entry, "epoch", seq=message.seq, why="not announced")

    def _check_handoff_chains(self, view: LinkView, side: str) -> None:
        entry = self._entry(f"{side}.ndjson")
        chains: dict[str, tuple[int, str]] = {}
        for message in view.logs[side]:
            if message.handoff is None:
                continue
            place = chains.get(message.handoff)
            facts = {"handoff": message.handoff, "hseq": message.hseq}
            if place is None:
                if message.hseq != 1 and not (self._manifest.since and not self._part.handoffs):
                    raise Altered(entry, "handoff_chain", why="its beginning", **facts)
                place = (message.hseq - 1, view.agreement_hash if message.hseq == 1 else "")
            if message.hseq != place[0] + 1 or (place[1] and message.hprev != place[1]):
                raise Altered(entry, "handoff_chain", why="hprev", **facts)
            chains[message.handoff] = (message.hseq, message.hash)

    def _check_missing(self, view: LinkView) -> None:
        """Why payloads are not there; that somebody asked to erase them is not taken on trust."""
        asked = [one for side in SIDES for one in view.logs[side] if one.type == "data.erase"]
        for message in [*view.logs[SIDES[0]], *view.logs[SIDES[1]], *view.superseded, *view.forks]:
            if message.data is not None:
                continue
            unasked = message.missing == "erased" and not any(
                one.handoff == message.handoff
                and (one.side != message.side or one.hseq > message.hseq)
                for one in asked
            )
            message.marks.append("erased_unasked" if unasked else message.missing)

    def _check_revisions(self, view: LinkView) -> None:
        """Which revisions of the agreement both have signed, and who wrote under another one."""
        for side in SIDES:
            proposed = {}
            for message in view.logs[view.other(side)]:
                text = (message.payload or {}).get("agreement")
                if message.type == "link.amend" and type(text) is str:
                    proposed[hash_of(text.encode())] = (text, message)
            for message in view.logs[side]:
                said = message.payload or {}
                if message.type == "link.amended" and said.get("agreement_hash") in proposed:
                    text, proposal = proposed[str(said["agreement_hash"])]
                    self._take_revision(view, text, proposal, message)
        for side in SIDES:
            for message in view.logs[side]:
                if message.agreement not in view.revisions:
                    message.contest("contested_terms")

    def _take_revision(self, view: LinkView, text: str, proposal: Message, answer: Message) -> None:
        hash_ = hash_of(text.encode())
        try:
            data = Members(strict_json(text, MAX_DATA))
            if data.an_id("link", "lnk_") != view.part.link:
                raise Flaw("link")
            for message in (proposal, answer):
                signature = Members(message.payload).text("sig", MAX_ENV)
                _check_agreed(signature, view.parties[message.side], hash_, view.part.link)
            view.revisions.setdefault(data.number("revision", 2), hash_)
        except Flaw:
            return  # not signed by both: no revision

    def _voided(self, message: Message) -> bool:
        """Whether a later epoch of its stream begins at or below its place."""
        return any(
            epoch > message.epoch and start <= message.seq
            for epoch, start in self._epochs[message.side]
        )

    def _check_superseded(self, view: LinkView) -> None:
        entry = self._entry("superseded.ndjson")
        for message in view.superseded:
            if self._strange(message):
                raise Altered(entry, "foreign", id=message.id)
            stands = self._by_seq[message.side].get(message.seq)
            if stands is not None and stands.hash == message.hash:
                raise Altered(entry, "not_superseded", id=message.id)
            message.marks.append("superseded")
            if not self._voided(message):
                # Its sender may have told of the epoch beside the stream, and of none in it yet.
                message.contest("contested_copy")

    def _check_forks(self, view: LinkView) -> None:
        entry = self._entry("forks.ndjson")
        for message in view.forks:
            if self._strange(message):
                raise Altered(entry, "foreign", id=message.id)
            stands = self._by_seq[message.side].get(message.seq)
            if (stands is not None and stands.hash == message.hash) or self._voided(message):
                raise Altered(entry, "no_fork", id=message.id)
            message.marks.append("contested")

    def _strange(self, message: Message) -> bool:
        return bool(self._part.handoffs) and (
            message.handoff is not None and message.handoff not in self._part.handoffs
        )

    def _shows(self, view: LinkView, side: str, seq: int, head: str) -> bool | None:
        """Whether the log has this hash there; None where that place is not shown.

        Raises Altered where a later epoch put something else there.
        """
        stands = self._by_seq[side].get(seq)
        if stands is not None and stands.hash == head:
            return True
        if any(one.side == side and one.seq == seq and one.hash == head for one in view.superseded):
            raise Altered(self._entry(f"{side}.ndjson"), "rewritten", seq=seq)
        return None if stands is None else False

    def _last(self, view: LinkView, side: str) -> int:
        log = view.logs[side]
        return log[-1].seq if log else 0

    def _check_acks(self, view: LinkView) -> None:
        for side in SIDES:
            entry, other = self._entry(f"{side}.ndjson"), view.other(side)
            for message in view.logs[side]:
                if message.ack is None:
                    continue
                seq, head = message.ack
                shows = self._shows(view, other, seq, head)
                if shows is False:
                    raise Altered(entry, "ack", id=message.id)
                if shows is None and self._full and not self._manifest.until:
                    last = self._last(view, other)
                    raise Altered(entry, "cut", what=message.id, seq=seq, last=last)
                acked = self._by_seq[other].get(seq)
                if acked is not None and acked.ack is not None and acked.ack[0] >= message.seq:
                    raise Altered(entry, "causality", id=message.id)

    # who has confirmed what

    def _check_receipts(self, view: LinkView) -> None:
        entry = self._entry("receipts.ndjson")
        for line in self._lines("receipts.ndjson"):
            try:
                signed = peek(line.exactly("jws").text("jws", MAX_DATA), "txp-rcpt+jws", MAX_DATA)
                data = Members(strict_json(signed.payload, MAX_DATA))
                of, link = data.digest("of"), data.an_id("link", "lnk_")
                upto, head, at = data.number("upto"), data.digest("head"), data.instant("at")
                heads = {
                    _shape("handoffs", name, _ID): position("handoffs", one)
                    for name, one in data.nested("handoffs").raw.items()
                }
                data.number("ep")
            except Flaw as flaw:
                raise Altered(entry, "malformed", why=flaw) from None
            side = next((one for one in SIDES if view.parties[one].node_id == of), None)
            if side is None or link != view.part.link or data.raw.get("stored") is not True:
                raise Altered(entry, "malformed", why="about another link")
            key = self._peer(view, side).any_key(signed.kid)
            if key is None:
                raise Altered(entry, "unknown_key", what=f"receipt {upto}")
            try:
                signed.check(key, f"receipt {upto}")
            except Flaw:
                raise Altered(entry, "signature", what=f"receipt {upto}") from None
            self._cover(view, side, upto, head, at)
            for handoff, (hseq, hhead) in heads.items():
                self._cover_handoff(view, side, handoff, hseq, hhead, at)

    def _cover(self, view: LinkView, side: str, upto: int, head: str, at: str) -> None:
        """A receipt over the stream: everything up to its head was with the other side then."""
        entry = self._entry("receipts.ndjson")
        if upto == 0:
            if head != view.agreement_hash:
                raise Altered(entry, "receipt", seq=0)
            return
        shows = self._shows(view, side, upto, head)
        if shows is False:
            raise Altered(entry, "receipt", seq=upto)
        if shows is None:
            last = self._last(view, side)
            if self._full and not self._manifest.until:
                raise Altered(entry, "cut", what="a receipt", seq=upto, last=last)
            return
        # A ticket shows places of the stream here and there: what lies before the head is proved
        # only by a chain that is shown.
        seq = upto
        while (message := self._by_seq[side].get(seq)) is not None:
            _receipted(message, at)
            if message.handoff is not None:
                self._cover_chain(view, side, message.handoff, message.hseq, at)
            seq -= 1

    def _cover_handoff(
        self, view: LinkView, side: str, handoff: str, hseq: int, head: str, at: str
    ) -> None:
        chain = self._chain(view, side, handoff)
        named = next((one for one in chain if one.hseq == hseq), None)
        if named is not None and named.hash == head:
            self._cover_chain(view, side, handoff, hseq, at)
            return
        if any(one.side == side and one.hash == head for one in view.superseded):
            raise Altered(self._entry(f"{side}.ndjson"), "rewritten", seq=hseq)
        entry = self._entry("receipts.ndjson")
        if named is not None:
            raise Altered(entry, "receipt", seq=hseq)
        if handoff in self._part.handoffs or (self._full and not self._manifest.until):
            last = chain[-1].hseq if chain else 0
            raise Altered(entry, "cut", what="a receipt", seq=hseq, last=last)

    def _chain(self, view: LinkView, side: str, handoff: str) -> list[Message]:
        return [one for one in view.logs[side] if one.handoff == handoff]

    def _cover_chain(self, view: LinkView, side: str, handoff: str, hseq: int, at: str) -> None:
        for message in self._chain(view, side, handoff):
            if message.hseq <= hseq:
                _receipted(message, at)

    # what came of it

    def _replay(self, view: LinkView) -> None:
        rejected = self._rejected(view)
        ids = dict.fromkeys(
            one.handoff for side in SIDES for one in view.logs[side] if one.handoff is not None
        )
        for handoff in sorted(ids):
            chains = {
                side: [one for one in self._chain(view, side, handoff) if one.hash not in rejected]
                for side in SIDES
            }
            found = replay(handoff, chains)
            if found is not None:
                view.handoffs.append(found)

    def _rejected(self, view: LinkView) -> set[str]:
        """Hashes of messages that the other side refused: they had no effect."""
        found = set()
        for side in SIDES:
            theirs = {one.hash: one for one in view.logs[view.other(side)]}
            for message in view.logs[side]:
                if message.type == "message.rejected" and message.payload is not None:
                    refused = theirs.get(str(message.payload.get("ref_mh")))
                    if refused is not None:
                        refused.marks.append("rejected")
                        found.add(refused.hash)
        return found

    def _find(self, view: LinkView) -> None:
        """Everything that is no failure and has to be told."""
        for side in SIDES:
            log, name = view.logs[side], view.name(side)
            party = view.parties[side]
            for message in log:
                if message.receipted_at is None and message.signed.kid in party.revoked:
                    message.contest("contested_key")
            groups = [
                ("unreceipted", [one for one in log if one.receipted_at is None]),
                *(
                    (mark, [one for one in log if mark in one.marks])
                    for mark in (*MISSING, "erased_unasked", "unreadable", "rejected")
                ),
                *((code, [one for one in log if code in one.disputes]) for code in _DISPUTES),
                ("superseded", [one for one in view.superseded if one.side == side]),
                (
                    "contested_copy",
                    [
                        one
                        for one in view.superseded
                        if one.side == side and "contested_copy" in one.disputes
                    ],
                ),
            ]
            for code, about in groups:
                if about:
                    ids = tuple(one.id for one in about)
                    facts = {"count": len(about), "who": name}
                    view.findings.append(Said(code, view.part.link, facts, ids))
            view.findings += [
                Said("fork", view.part.link, {"who": name, "seq": one.seq}, (one.id,))
                for one in view.forks
                if one.side == side
            ]
            start = self._start(log)
            if not self._part.handoffs and log and log[start].seq > 1:
                view.findings.append(
                    Said("partial", view.part.link, {"who": name, "first": log[start].seq})
                )


_DISPUTES: Final = ("contested_step", "contested_terms", "contested_keys", "contested_key")


def _receipted(message: Message, at: str) -> None:
    if message.receipted_at is None or at < message.receipted_at:
        message.receipted_at = at


def _party(side: str, data: Members) -> Party:
    return Party(
        side,
        data.digest("node_id"),
        data.text("name"),
        data.text("base_url", 500) if "base_url" in data.raw else "",
        key_of_jwk(data.nested("identity")),
        data.number("key_set_version", 1),
    )


def _check_agreed(text: str, party: Party, hash_: str, link: str) -> None:
    signed = peek(text, "txp-agr+jws", MAX_ENV)
    identity = next(
        (one for one in party.identities or (party.identity,) if one.kid == signed.kid),
        party.identity,
    )
    signed.check(identity, f"agreement by {party.side}")
    data = Members(strict_json(signed.payload, MAX_ENV))
    said = (data.digest("agreement_hash"), data.an_id("link", "lnk_"), data.digest("node_id"))
    if said != (hash_, link, party.node_id):
        raise Flaw(f"{party.side} signed something else")


def _digits(agreement: bytes) -> str:
    """The forty digits people compared."""
    number = int.from_bytes(sha256(b"txp-sas" + agreement).digest(), "big")
    digits = f"{number % 10**40:040d}"
    return " ".join(digits[at : at + 5] for at in range(0, 40, 5))


# --- replaying a hand-off -----------------------------------------------------------------------

_ACTS: Final = frozenset({"handoff.offer", *STEPS})


def replay(handoff: str, chains: Mapping[str, Sequence[Message]]) -> Handoff | None:
    """Where the hand-off stands after everything the two sides wrote; None without a step.

    Only the holder of the pen moves it on, so there is one order of the steps. What does not fit
    is marked as contested and moves nothing.
    """
    steps = {side: [one for one in chains[side] if one.type in _ACTS] for side in SIDES}
    offers = [one for side in SIDES for one in steps[side] if one.type == "handoff.offer"]
    first = min(offers, key=lambda one: one.at) if offers else None
    principal = first.side if first is not None else _principal(steps)
    if principal is None:
        return None
    begins = ["offered"] if first is not None else _beginnings(steps)
    if first is not None:
        steps[first.side].remove(first)
    runs = [_run(steps, principal, state, first) for state in begins or ["offered"]]
    state, round_, effects, odd = min(runs, key=lambda run: len(run[3]))
    for message, before, after in effects:
        message.before, message.after = before, after
    for message in odd:
        message.contest("contested_step")
    title = ""
    if first is not None:
        first.after = "offered"
        title = str((first.payload or {}).get("title", ""))
    return Handoff(handoff, principal, state, round_, title)


def _principal(steps: Mapping[str, Sequence[Message]]) -> str | None:
    """Who must be the principal where the offer is not shown."""
    for side in SIDES:
        for message in steps[side]:
            ours = STEPS[message.type][0] == "principal"
            return side if ours else SIDES[1 - SIDES.index(side)]
    return None


def _beginnings(steps: Mapping[str, Sequence[Message]]) -> list[str]:
    """States in which it may have stood before the first step that is shown."""
    said = [(steps[side][0].payload or {}).get("from") for side in SIDES if steps[side]]
    return [one for one in said if type(one) is str and one in PEN]


Effect = tuple[Message, str, str]


def _run(
    steps: Mapping[str, Sequence[Message]], principal: str, state: str, offer: Message | None
) -> tuple[str, int, list[Effect], list[Message]]:
    """(state, rounds, what each step did, steps that did not fit)."""
    waiting = {side: list(steps[side]) for side in SIDES}
    round_, effects, odd = 0, [], []
    while (pen := PEN[state]) is not None:
        side = principal if pen == "principal" else SIDES[1 - SIDES.index(principal)]
        if not waiting[side]:
            break
        message = waiting[side].pop(0)
        row = STEPS.get(message.type)
        said = message.payload
        fits = row is not None and row[0] == pen and state in row[1]
        if fits and said is not None:
            fits = said.get("from") == state
            if message.type == "handoff.return" and offer is not None:
                fits = fits and said.get("round") == round_ + 1
        if not fits or row is None:
            odd.append(message)
            continue
        if message.type == "handoff.return":
            round_ += 1
        effects.append((message, state, row[2]))
        state = row[2]
    return state, round_, effects, odd + [one for side in SIDES for one in waiting[side]]


def _merged(left: Sequence[Message], right: Sequence[Message]) -> Iterator[Message]:
    """Both logs in one order that contradicts neither, nor what each says to have read."""
    at, other = 0, 0
    while at < len(left) and other < len(right):
        one, two = left[at], right[other]
        if one.ack is not None and one.ack[0] >= two.seq:
            take_left = False
        elif two.ack is not None and two.ack[0] >= one.seq:
            take_left = True
        else:
            take_left = one.at <= two.at
        if take_left:
            at += 1
            yield one
        else:
            other += 1
            yield two
    yield from left[at:]
    yield from right[other:]


# --- the whole bundle ---------------------------------------------------------------------------


@dataclass
class Result:
    """What can be said of a bundle."""

    problems: list[Said] = field(default_factory=list)
    findings: list[Said] = field(default_factory=list)
    manifest: Manifest | None = None
    links: list[LinkView] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`verified` or `altered`."""
        return "altered" if self.problems else "verified"

    @property
    def exporter(self) -> str:
        """The exporter's name, by the agreement."""
        for view in self.links:
            for party in view.parties.values():
                if self.manifest is not None and party.node_id == self.manifest.exporter:
                    return party.name
        return ""

    def all_findings(self) -> list[Said]:
        """Those of the bundle and those of each link."""
        return [*self.findings, *(one for view in self.links for one in view.findings)]


def verify(file: BinaryIO, parties: Sequence[str] = ()) -> Result:
    """Check a bundle; with `parties`, also that it is between these nodes. Never raises."""
    result = Result()
    try:
        archive = Archive(file)
        opened = open_manifest(archive.read(MANIFEST, MAX_MANIFEST))
        manifest = opened[0]
        result.problems += _contents(archive, manifest, result.findings)
        if result.problems:
            return result
        texts = lambda name: archive.read(name, MAX_TEXT)  # noqa: E731 - one name for a reader
        check_signed(opened, texts)
        examine(manifest, texts, result)
        _check_blobs(archive, result)
        found = {one.node_id for view in result.links for one in view.parties.values()}
        for node in parties:
            if node not in found:
                raise Altered(MANIFEST, "other_party", node=node)
    except Altered as altered:
        result.problems.append(altered.said)
    except Flaw as flaw:
        result.problems.append(Said("malformed", MANIFEST, {"why": flaw}))
    return result


def examine(manifest: Manifest, read: Reader, result: Result) -> None:
    """Check what the entries say, whoever keeps them. Raises Altered."""
    result.manifest = manifest
    for part in manifest.parts:
        result.links.append(LinkCheck(part, manifest, read).run())


SignedManifest = tuple[Manifest, Signed]


def open_manifest(raw: bytes) -> SignedManifest:
    """The manifest and its signature, which nobody has checked yet. Raises Altered."""
    try:
        signed = peek(raw.decode("ascii"), "txp-manifest+jws", MAX_MANIFEST)
        return read_manifest(signed.payload), signed
    except (Flaw, UnicodeDecodeError) as flaw:
        raise Altered(MANIFEST, "malformed", why=flaw) from None


def _contents(archive: Archive, manifest: Manifest, findings: list[Said]) -> list[Said]:
    """What of the archive is not as the manifest lists it."""
    problems = [Said("missing", name) for name in manifest.entries if name not in archive.entries]
    for name, entry in archive.entries.items():
        if name == MANIFEST:
            continue
        listed = manifest.entries.get(name)
        if listed is None or not _belongs(name, manifest):
            problems.append(Said("extra", name))
            continue
        try:
            digest = archive.digest(name)
        except Altered as altered:
            problems.append(altered.said)
            continue
        if (entry.size, b64url(bytes.fromhex(digest))) == listed:
            continue
        if name in FREE:
            findings.append(Said("free_entry", name, {"name": name}))
        else:
            problems.append(Said("digest", name))
    return problems


LINK_ENTRIES: Final = (
    "agreement.json",
    "custody.ndjson",
    "forks.ndjson",
    "invitee.ndjson",
    "inviter.ndjson",
    "proof.json",
    "receipts.ndjson",
    "superseded.ndjson",
)
"""What the folder of a link holds."""


def _belongs(name: str, manifest: Manifest) -> bool:
    if name in FREE or re.fullmatch(r"blobs/[0-9a-f]{64}", name):
        return True
    folder, _, entry = name.partition("/letters/")
    if entry and re.fullmatch(r"[0-9a-f]{64}\.eml", entry):
        return any(folder == part.folder for part in manifest.parts)
    return any(
        name == f"{part.folder}/{entry}" for part in manifest.parts for entry in LINK_ENTRIES
    )


def check_signed(found: SignedManifest, read: Reader) -> None:
    """The manifest is by the exporter, whom every agreement of the bundle names. Raises Altered."""
    manifest, signed = found
    for part in manifest.parts:
        entry = f"{part.folder}/agreement.json"
        try:
            data = Members(strict_json(read(entry), MAX_DATA))
            parties = [_party(side, data.nested(side)) for side in SIDES]
            exporter = next((one for one in parties if one.node_id == manifest.exporter), None)
            if exporter is None:
                raise Flaw("the exporter is no party")
            entry = f"{part.folder}/proof.json"
            proof = Members(strict_json(read(entry), MAX_PROOF))
            successions = proof.nested("successions").array(exporter.side)
            identities = follow(exporter.identity, exporter.node_id, successions)
        except Flaw as flaw:
            raise Altered(entry, "agreement", why=flaw) from None
        try:
            key_set = open_by_any(manifest.key_set, identities)
            key = key_set.find(signed.kid) if key_set.node_id == manifest.exporter else None
            if key is None:
                raise Altered(MANIFEST, "unknown_key", what=MANIFEST)
            signed.check(key, MANIFEST)
        except Flaw:
            raise Altered(MANIFEST, "signature", what=MANIFEST) from None


def descriptors(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every file that a payload names."""
    if type(value) is dict:
        digest = value.get("sha256")
        if type(value.get("size")) is int and type(digest) is str and _HASH.fullmatch(digest):
            yield value
        for inner in value.values():
            yield from descriptors(inner)
    elif type(value) is list:
        for inner in value:
            yield from descriptors(inner)


def _check_blobs(archive: Archive, result: Result) -> None:
    named = _named_files(result)
    here = {name for name in archive.entries if name.startswith("blobs/")}
    assert result.manifest is not None
    for entry in sorted(here):
        if entry not in named or result.manifest.files != "included":
            raise Altered(entry, "extra")
        if archive.entries[entry].size != named[entry] or not entry.endswith(archive.digest(entry)):
            raise Altered(entry, "blob")
    note_files(result, here)


def _named_files(result: Result) -> dict[str, int]:
    """Entry and size of every file that some shown message names."""
    return {
        f"blobs/{unb64url(one['sha256']).hex()}": one["size"]
        for view in result.links
        for message in [*view.timeline, *view.superseded, *view.forks]
        for one in descriptors(message.payload)
    }


def note_files(result: Result, here: Collection[str]) -> None:
    """Find how many of the files that are named are not among the entries."""
    if left := [name for name in _named_files(result) if name not in here]:
        result.findings.append(Said("files_named", "blobs", {"count": len(left)}))


# --- showing it ---------------------------------------------------------------------------------


def say(title: str, lang: str, **facts: str) -> str:
    """A word of the report."""
    return TITLES[title][1 if lang == "ru" else 0].format(**facts)


def _pairs(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """What a payload says, as names and values."""
    if type(value) is dict:
        for name, inner in value.items():
            if not above and name in {"from", "hops"}:
                continue
            yield from _pairs(inner, f"{above}.{name}" if above else name)
    elif type(value) is list:
        for index, inner in enumerate(value):
            yield from _pairs(inner, f"{above}[{index}]")
    elif value is not None:
        yield above, str(value).lower() if type(value) is bool else str(value)


def summary(message: Message) -> str:
    """What a message says, in one line."""
    text = "; ".join(f"{name}: {value}" for name, value in _pairs(message.payload or {}))
    return shown(text)


def _about(message: Message, lang: str) -> str:
    """Type, step and marks of a message."""
    parts = [message.type]
    if message.after is not None:
        parts.append(f"[{message.before or '-'} → {message.after}]")
    parts += [f"«{say(mark, lang)}»" for mark in dict.fromkeys(message.marks)]
    return " ".join(parts)


def scope_of(manifest: Manifest, lang: str) -> str:
    """What the bundle is about."""
    if manifest.kind == "ticket":
        return say("ticket", lang, number=shown(manifest.number))
    parts = [say("link", lang)]
    if manifest.since:
        parts.append(say("since", lang, at=manifest.since))
    if manifest.until:
        parts.append(say("until", lang, at=manifest.until))
    return " ".join(parts)


def as_document(result: Result, lang: str) -> dict[str, Any]:
    """Everything, for programs."""
    manifest = result.manifest
    trusted = manifest if not result.problems else None
    return {
        "verdict": result.verdict,
        "problems": [one.document(lang) for one in result.problems],
        "findings": [one.document(lang) for one in result.all_findings()],
        "exporter": None
        if trusted is None
        else {"node_id": trusted.exporter, "name": shown(result.exporter)},
        "made_at": None if trusted is None else trusted.made_at,
        "scope": None
        if trusted is None
        else {
            "kind": trusted.kind,
            "number": trusted.number or None,
            "since": trusted.since or None,
            "until": trusted.until or None,
        },
        "redacted": [] if trusted is None else list(trusted.redacted),
        "links": [] if trusted is None else [_link_document(view) for view in result.links],
        "not_proved": [words[1 if lang == "ru" else 0] for words in NOT_PROVED],
    }


def _link_document(view: LinkView) -> dict[str, Any]:
    return {
        "link": view.part.link,
        "agreement_hash": view.agreement_hash,
        "digits": view.digits,
        "agreed_at": view.made_at,
        "revisions": {str(number): hash_ for number, hash_ in sorted(view.revisions.items())},
        "parties": {
            side: {"node_id": one.node_id, "name": shown(one.name)}
            for side, one in view.parties.items()
        },
        "handoffs": [
            {
                "id": one.id,
                "title": shown(one.title),
                "principal": one.principal,
                "state": one.state,
                "round": one.round,
            }
            for one in view.handoffs
        ],
        "timeline": [_line_document(one) for one in view.timeline],
        "aside": [_line_document(one) for one in [*view.superseded, *view.forks]],
    }


def _line_document(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "by": message.side,
        "type": message.type,
        "epoch": message.epoch,
        "seq": message.seq,
        "handoff": message.handoff,
        "hash": message.hash,
        "claimed_at": message.at,
        "receipted_at": message.receipted_at,
        "before": message.before,
        "after": message.after,
        "marks": list(dict.fromkeys(message.marks)),
        "says": summary(message),
    }


MAX_SHOWN: Final = 160  # characters of what a message says, on a terminal


def as_text(result: Result, lang: str) -> Iterator[str]:
    """Everything, for a terminal."""
    yield say(result.verdict, lang)
    if result.problems:
        yield ""
        yield say("problems", lang) + ":"
        for one in result.problems:
            yield f"  {shown(one.where) or '-'}: {one.text(lang)}"
        return
    manifest = result.manifest
    assert manifest is not None
    yield f"{say('scope', lang)}: {scope_of(manifest, lang)}"
    exporter = f"{shown(result.exporter)} ({manifest.exporter})"
    yield f"{say('exporter', lang)}: {exporter}, {say('made_at', lang)} {manifest.made_at}"
    for view in result.links:
        yield ""
        yield from _link_lines(view, lang)
    yield ""
    yield say("findings", lang) + ":"
    found = result.all_findings()
    for one in found:
        yield f"  {one.where}: {one.text(lang)}"
    if not found:
        yield f"  {say('none', lang)}"
    yield ""
    yield say("not_proved", lang) + ":"
    for words in NOT_PROVED:
        yield f"  - {words[1 if lang == 'ru' else 0]}"


def _link_lines(view: LinkView, lang: str) -> Iterator[str]:
    yield f"{view.part.link}"
    for side, party in view.parties.items():
        yield f"  {say(side, lang)}: {shown(party.name)}, {party.node_id}"
    yield f"  {say('agreement', lang)}: {view.agreement_hash}, {view.made_at}"
    yield f"  {say('digits', lang)}: {view.digits}"
    for handoff in view.handoffs:
        yield f"  {_handoff_line(view, handoff, lang)}"
    yield f"  {say('timeline', lang)}:"
    for message in view.timeline:
        receipt = message.receipted_at or say("no_receipt", lang)
        who = shown(view.name(message.side))
        yield f"    {message.at}  {receipt:<24}  {who}: {_about(message, lang)}"
        if said := summary(message)[:MAX_SHOWN]:
            yield f"      {said}"
    for message in [*view.superseded, *view.forks]:
        yield f"    {message.at}  {'-':<24}  {shown(view.name(message.side))}: " + _about(
            message, lang
        )


def _handoff_line(view: LinkView, handoff: Handoff, lang: str) -> str:
    contractor = view.other(handoff.principal)
    return (
        f"{say('handoff', lang)} {handoff.id}: {shown(handoff.title)} "
        f"({say('principal', lang)}: {shown(view.name(handoff.principal))}, "
        f"{say('contractor', lang)}: {shown(view.name(contractor))}), "
        f"{say('state', lang)}: {handoff.state}, {say('round', lang)}: {handoff.round}"
    )


_STYLE: Final = (
    "body{font:15px/1.45 sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#111827}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d1d5db;"
    "padding:.3em .6em;text-align:left;vertical-align:top}th{color:#6b7280;font-weight:normal}"
    "td.t{white-space:nowrap;font-size:.85em}code{font-size:.85em;word-break:break-all}"
    ".verified{color:#15803d}.altered{color:#b91c1c}.none{color:#b45309}dt{color:#6b7280}"
    "dd{margin:0 0 .5em}p.s{margin:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere}"
)


def as_html(result: Result, lang: str) -> str:
    """A page to read. Everything foreign in it is escaped; it has no scripts and no links."""
    return "\n".join(_page(result, lang)) + "\n"


def _esc(text: str) -> str:
    return html.escape(shown(text), quote=True)


def _page(result: Result, lang: str) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield f"<title>{_esc(say('title', lang))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{_esc(say('title', lang))}</h1>"
    verdict = result.verdict
    yield f'<p><strong class="{verdict}">{_esc(say(verdict, lang))}</strong></p>'
    if result.problems:
        yield f"<h2>{_esc(say('problems', lang))}</h2>\n<ul>"
        for one in result.problems:
            yield f"<li><code>{_esc(one.where)}</code> {_esc(one.text(lang))}</li>"
        yield "</ul>\n</body>\n</html>"
        return
    manifest = result.manifest
    assert manifest is not None
    yield "<dl>"
    yield f"<dt>{_esc(say('scope', lang))}</dt><dd>{_esc(scope_of(manifest, lang))}</dd>"
    yield (
        f"<dt>{_esc(say('exporter', lang))}</dt><dd>{_esc(result.exporter)} "
        f"<code>{_esc(manifest.exporter)}</code>, {_esc(manifest.made_at)}</dd>\n</dl>"
    )
    yield f"<h2>{_esc(say('findings', lang))}</h2>\n<ul>"
    for one in result.all_findings():
        yield f"<li><code>{_esc(one.where)}</code> {_esc(one.text(lang))}</li>"
    if not result.all_findings():
        yield f"<li>{_esc(say('none', lang))}</li>"
    yield "</ul>"
    for view in result.links:
        yield from _link_section(view, lang)
    yield f"<h2>{_esc(say('not_proved', lang))}</h2>\n<ul>"
    for words in NOT_PROVED:
        yield f"<li>{_esc(words[1 if lang == 'ru' else 0])}</li>"
    yield "</ul>\n</body>\n</html>"


def _link_section(view: LinkView, lang: str) -> Iterator[str]:
    names = " – ".join(_esc(one.name) for one in view.parties.values())
    yield f"<h2>{names}</h2>\n<dl>"
    for side, party in view.parties.items():
        yield f"<dt>{_esc(say(side, lang))}</dt><dd>{_esc(party.name)} "
        yield f"<code>{_esc(party.node_id)}</code></dd>"
    yield f"<dt>{_esc(say('agreement', lang))}</dt>"
    yield f"<dd><code>{_esc(view.agreement_hash)}</code>, {_esc(view.made_at)}</dd>"
    yield f"<dt>{_esc(say('digits', lang))}</dt><dd>{_esc(view.digits)}</dd>\n</dl>"
    for handoff in view.handoffs:
        yield f"<p>{_esc(_handoff_line(view, handoff, lang))}</p>"
    yield f"<h3>{_esc(say('timeline', lang))}</h3>\n<table>\n<tr>"
    yield "".join(
        f"<th>{_esc(say(one, lang))}</th>" for one in ("claimed", "receipted", "who", "what")
    )
    yield "</tr>"
    for message in [*view.timeline, *view.superseded, *view.forks]:
        receipt = (
            _esc(message.receipted_at)
            if message.receipted_at is not None
            else f'<span class="none">{_esc(say("no_receipt", lang))}</span>'
        )
        yield (
            f'<tr><td class="t">{_esc(message.at)}</td><td class="t">{receipt}</td>'
            f"<td>{_esc(view.name(message.side))}</td>"
            f'<td><b>{_esc(_about(message, lang))}</b><p class="s">{_said(message)}</p></td></tr>'
        )
    yield "</table>"


def _said(message: Message) -> str:
    return "\n".join(
        f"{_esc(name)}: {_esc(value)}" for name, value in _pairs(message.payload or {})
    )


# --- the program --------------------------------------------------------------------------------

VERIFIED: Final = 0
ALTERED: Final = 1
USAGE: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Check the bundle named on the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="Check an evidence bundle. Exit code: 0 verified, 1 altered, 2 usage.",
    )
    parser.add_argument("bundle", type=Path, help="the bundle, as it is: do not unpack it")
    parser.add_argument("--lang", choices=("en", "ru"), default=_language(os.environ))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--party",
        action="append",
        default=[],
        metavar="NODE_ID",
        help="a party that must be in it, by what you know of it; may be repeated",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page to read")
    said = parser.parse_args(argv)
    try:
        with said.bundle.open("rb") as file:
            result = verify(file, said.party)
        if said.html is not None:
            said.html.write_text(as_html(result, said.lang), encoding="utf-8")
    except OSError as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return USAGE
    if hasattr(sys.stdout, "reconfigure"):  # a terminal of another encoding must not stop it
        sys.stdout.reconfigure(errors="replace")
    if said.json:
        print(json.dumps(as_document(result, said.lang), ensure_ascii=False, indent=2))
    else:
        for line in as_text(result, said.lang):
            print(line)
    return ALTERED if result.problems else VERIFIED


def _language(env: Mapping[str, str]) -> str:
    for name in ("HUB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := env.get(name):
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"


if __name__ == "__main__":
    sys.exit(main())
