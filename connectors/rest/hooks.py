"""Webhooks: whether they come from the desk, and what they point at.

A webhook without a signature is a hint and nothing more: the desk is asked before anything is
believed. One that carries content must be signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs

from connectors.contract import Call, Untrusted
from connectors.rest.description import Hook, Signature

BODY_MAX: Final = 4 * 1024 * 1024
_WRONG: Final = "The webhook does not prove that it comes from the desk"


def opened(hook: Hook, call: Call, secrets: Mapping[str, str], now: datetime) -> Any:
    """The parsed body of a webhook that is believed.

    Raises:
        Untrusted: it is not.
    """
    if len(call.body) > BODY_MAX:
        raise Untrusted("too_big", _WRONG, because="too big")
    _verify(hook.signature, call, secrets, now)
    try:
        return json.loads(call.body) if call.body.strip() else {}
    except (ValueError, RecursionError):
        if "form" in call.headers.get("content-type", ""):
            pairs = parse_qs(call.body.decode("utf-8", "replace"))
            return {name: said[-1] for name, said in pairs.items()}
        raise Untrusted("not_json", _WRONG, because="body is not JSON") from None


def _verify(rule: Signature, call: Call, secrets: Mapping[str, str], now: datetime) -> None:
    if rule.kind == "none":
        return
    secret = secrets.get(rule.secret, "")
    said = call.headers.get(rule.header.lower(), "") if rule.header else ""
    said = said or (call.query.get(rule.param, "") if rule.param else "")
    if not secret or not said:
        raise Untrusted("no_signature", _WRONG, because="no secret here or no signature there")
    if rule.kind == "token":
        if not hmac.compare_digest(said.encode(), secret.encode()):
            raise Untrusted("wrong_signature", _WRONG, because="wrong token")
        return
    if not said.startswith(rule.prefix):
        raise Untrusted("wrong_signature", _WRONG, because="another kind of signature")
    stamp = call.headers.get(rule.timestamp_header.lower(), "") if rule.timestamp_header else ""
    if rule.timestamp_header:
        _fresh(stamp, rule.max_age_s, now)
    parts = (stamp.encode(), call.body)
    signed = b"".join(parts if rule.timestamp_place == "before" else parts[::-1])
    digest = hmac.new(secret.encode(), signed, getattr(hashlib, rule.algorithm)).digest()
    right = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    given = said.removeprefix(rule.prefix)
    given = given.lower() if rule.encoding == "hex" else given
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise Untrusted("wrong_signature", _WRONG, because="wrong signature")


def _fresh(stamp: str, max_age_s: int, now: datetime) -> None:
    try:
        at = (
            float(stamp)
            if stamp.replace(".", "", 1).isdigit()
            else (datetime.fromisoformat(stamp).timestamp())
        )
    except (ValueError, OverflowError):
        raise Untrusted("no_time", _WRONG, because="no time in it") from None
    if at > 10**11:  # milliseconds
        at /= 1000
    if abs(now.timestamp() - at) > max_age_s:
        raise Untrusted("too_old", _WRONG, because="too old or from the future")
