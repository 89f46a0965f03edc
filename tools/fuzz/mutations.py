"""Changes of JSON that keep it JSON, and of letters: what random bytes hardly ever reach.

Every choice comes from one `random.Random`, so a seed makes the same inputs again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 - 1,
    2**53,
    -(2**53),
    2**63,
    2**64,
    10**400,
    "",
    " ",
    "\x00",
    "\ud800",
    "\ufffe",
    "A" * 43,
    "AAAAAAAAAAAAAAAAAAAAAA",
    "a" * 300,
    "2026-02-30T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "0000-00-00T00:00:00.000Z",
    "http://[::ffff:1.2.3.4]",
    "https://hub.example:99999",
    "1.0",
    "٣",
    [],
    {},
    [[]],
    [None],
    {"": 0},
    1.5,
)
Place = tuple[Any, Any]  # a container, and a key or an index of it


def mutated(
    data: bytes, max_size: int, seed: int, by_bytes: Callable[[bytes, int], bytes]
) -> bytes:
    """The input, changed: its JSON if it is some, else (or by chance) its bytes."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return by_bytes(data, max_size)
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        return by_bytes(data, max_size)
    whole = [value]
    try:
        for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
            _change(whole, chance)
            # Before the next change: a copy of copies of copies would not end.
            if len(json.dumps(whole)) > 6 * max_size:
                break
        made = json.dumps(whole[0], ensure_ascii=chance.random() < 0.3).encode(
            "utf-8", "surrogatepass"
        )
    except (ValueError, RecursionError):
        return by_bytes(data, max_size)
    return made if len(made) <= max_size else by_bytes(data, max_size)


def _change(whole: list[Any], chance: random.Random) -> None:
    places = _places(whole)
    container, key = chance.choice(places)
    other, other_key = chance.choice(places)
    match chance.randrange(8):
        case 0:
            container[key] = chance.choice(ODD)
        case 1 if container is not whole:
            del container[key]
        case 2:
            container[key] = json.loads(json.dumps(other[other_key]))
        case 3 if isinstance(container, dict):
            container[chance.choice(("x", "salt", "begin", "é", "a" * 65, str(key) + "_"))] = (
                container[key]
            )
        case 4 if isinstance(container, list) and container is not whole:
            container.extend([container[key]] * chance.choice((1, 2, 40)))
        case 5 if isinstance(container[key], str):
            container[key] = _text(container[key], chance)
        case 6 if type(container[key]) is int:
            container[key] += chance.choice((-1, 1, 2**32, -(2**40)))
        case _:
            for _ in range(chance.choice((1, 2, 17, 40))):
                container[key] = (
                    [container[key]] if chance.random() < 0.5 else {"a": container[key]}
                )


def _text(text: str, chance: random.Random) -> str:
    if not text:
        return chance.choice("a\x7f\u202e\U0001f600")
    at = chance.randrange(len(text))
    return chance.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + chance.choice("aA0-_.:/@ \x00é\ud800=") + text[at + 1 :],
            text + text[at:],
            text[at:],
            text.upper(),
            text * 30,
        )
    )


ODD_LINES: Final = (
    b"From: a@b.example, c@d.example",
    b"From: =?utf-8?q?a=0Ab?= <a@b.example>",
    b'From: "a@b.example" <x@evil.example>',
    b"From: (((((a))))) g:a@b.example;",
    b"Subject: =?utf-16?b?AAAA?= =?x?q?=FF?=",
    b"Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    b"Content-Type: message/delivery-status",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/html; charset=utf-7",
    b'Content-Type: text/plain; charset="unicode_escape"',
    b"Content-Type: application/x; name*0*=utf-8''%FF; name*2=b; name*=x''y''z",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: x-uuencode",
    b"Content-ID: <a>",
    b"Date: Mon, 99 Feb 99999 99:99:99 +9999",
    b"Auto-Submitted: auto-replied",
    b"Return-Path: <>",
    b"References: <a@b> <c@d>",
    b"Authentication-Results: mx.plus.example; dmarc=pass (((x)",
    b"--b",
    b"--b--",
    b"",
    b" folded",
    b"> > quoted",
    b"On Mon, 1 Jan 2024 at 10:00 A <a@b.example> wrote:",
    b"begin 644 x",
    b"<img src=cid:a><table><tr><td>x<td>y",
    b"\x00\xff\xfe",
    b"\xd0\x9a\xe2\x80\xa8",
)


def changed_letter(
    data: bytes, max_size: int, seed: int, by_bytes: Callable[[bytes, int], bytes]
) -> bytes:
    """The letter with a few of its lines changed, or (half the time) its bytes."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return by_bytes(data, max_size)
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                lines.insert(at, chance.choice(ODD_LINES))
            case 1:
                lines[at] = chance.choice(ODD_LINES)
            case 2 if len(lines) > 1:
                del lines[at]
            case 3:
                lines[at:at] = lines[other : other + 5]
            case 4:
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines[at] = by_bytes(lines[at], max(1, min(200, max_size)))
    made = b"\n".join(lines)
    return made if len(made) <= max_size else by_bytes(data, max_size)


def _places(whole: list[Any]) -> list[Place]:
    """Every place of a value, the outermost first; not more than a few hundred."""
    found: list[Place] = [(whole, 0)]
    for container, key in found:
        value = container[key]
        if len(found) > 400:
            break
        if isinstance(value, dict):
            found.extend((value, name) for name in value)
        elif isinstance(value, list):
            found.extend((value, at) for at in range(len(value)))
    return found
