"""Changes of JSON that keep it JSON: what random bytes hardly ever reach.

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
