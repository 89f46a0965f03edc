"""What makes a password too weak: nothing else is asked of one (NIST SP 800-63B §5.1.1.2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hub.errors import Refused

SHORTEST: Final = 12
LONGEST: Final = 256
_DISTINCT: Final = 6
_ABOUT_MIN: Final = 4  # a shorter word of our own says nothing about the rest

_COMMON: Final = frozenset(
    """
    password1234 passwordpassword 123456789012 1234567890123 12345678901234 123456789123
    qwertyuiop12 qwertyuiop123 qwertyqwerty qwerty123456 qwerty1234567 1q2w3e4r5t6y 1qaz2wsx3edc
    qazwsxedcrfv administrator administrator1 admin1234567 adminadminadmin welcome12345
    letmein12345 iloveyou1234 changeme1234 passw0rd1234 password12345 password123456 zaq12wsxcde3
    йцукенгшщзхъ йцукен123456 пароль123456 парольпароль 1234567890qwe 1234567890qwerty qwe123qwe123
    asdfghjkl123 zxcvbnm12345 q1w2e3r4t5y6 000000000000 111111111111 abcdefghijkl abc123abc123
    """.split()  # noqa: SIM905 - words read better in a column
)


_TOLD: Final = {
    "short": "A password has at least {least} characters.",
    "long": "A password has at most {most} characters.",
    "common": "This password is among the first that anybody would try.",
    "about": "The password says little more than who you are.",
}


def check(password: str, about: Collection[str] = ()) -> None:
    """Return if this may be a password of somebody whom the words `about` are about.

    Raises Refused(password_weak).
    """
    if (why := _weakness(password, about)) is not None:
        told = _TOLD[why]
        raise Refused("password_weak", told, least=SHORTEST, most=LONGEST)


def _weakness(password: str, about: Collection[str]) -> str | None:
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    rest = password.lower()
    if rest in _COMMON or len(set(rest)) < _DISTINCT:
        return "common"
    for word in about:
        if len(word) >= _ABOUT_MIN:
            rest = rest.replace(word.lower(), "")
    return "about" if len(rest) < SHORTEST // 2 else None
