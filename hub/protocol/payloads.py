"""The message types of TXP/1 and the schemas of their data.

What `check` lets through, every implementation with the public schemas lets through, and the
other way round: the schemas are the contract, nothing is checked here beside them. Unknown
members pass, so that a later minor version can add some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from hub.errors import Misconfigured, Refused


@dataclass(frozen=True, slots=True)
class PayloadType:
    """What everybody must know of a message type before reading its data."""

    name: str
    schema_id: str  # the envelope's `dt`: the name and the version of its schema
    must: bool  # a node that does not know the type rejects the message instead of storing it
    on_handoff: bool  # the envelope names a hand-off; the others concern the link alone
    control: bool  # passes while the link is suspended


def _handoff(name: str, *, must: bool = True) -> PayloadType:
    return PayloadType(name, f"{name}/1", must=must, on_handoff=True, control=False)


def _link(name: str, *, must: bool = True) -> PayloadType:
    return PayloadType(name, f"{name}/1", must=must, on_handoff=False, control=True)


TYPES: Final[Mapping[str, PayloadType]] = {
    kind.name: kind
    for kind in (
        _handoff("handoff.offer"),
        _handoff("handoff.accept"),
        _handoff("handoff.decline"),
        _handoff("handoff.start"),
        _handoff("handoff.pend"),
        _handoff("handoff.resolve"),
        _handoff("handoff.hand_back"),
        _handoff("handoff.confirm"),
        _handoff("handoff.return"),
        _handoff("handoff.close"),
        _handoff("handoff.cancel"),
        _handoff("handoff.cancel_request"),
        _handoff("handoff.cancelled"),
        _handoff("handoff.cancel_refused"),
        _handoff("handoff.retract_request"),
        _handoff("handoff.retract_refused"),
        _handoff("handoff.update"),
        _handoff("handoff.plan"),
        _handoff("comment.add"),
        _handoff("comment.edit"),
        _handoff("comment.redact"),
        _handoff("file.add"),
        _handoff("file.redact"),
        _handoff("file.status", must=False),
        _handoff("rating.set", must=False),
        _handoff("rating.reply", must=False),
        _handoff("subcontract.notice", must=False),
        _handoff("subcontract.ask"),
        _handoff("subcontract.answer"),
        _handoff("data.erase"),
        _handoff("data.erased", must=False),
        _link("link.suspend"),
        _link("link.resume"),
        _link("link.close"),
        _link("link.epoch"),
        _link("link.skip"),
        _link("link.amend"),
        _link("link.amended"),
        _link("link.amend_refused"),
        _link("link.amend_withdrawn"),
        # Not must-understand: a node that compares nothing loses nothing by it.
        _link("link.checkpoint", must=False),
        _link("link.differences", must=False),
        _link("link.keys"),
        # Not must-understand: a rejection is never answered with a rejection.
        _link("message.rejected", must=False),
    )
}
"""Every type that has a schema, by its name."""

_BY_SCHEMA: Final = {kind.schema_id: kind for kind in TYPES.values()}

_LABEL: Final = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_VENDOR: Final = re.compile(rf"x\.{_LABEL}(?:\.{_LABEL})+\.[a-z][a-z0-9_]*")
_MAX_TYPE: Final = 128
_MEMBER: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
# Valid as a salt and never sent: it stands where the real one has been taken off already.
_STAND_IN_SALT: Final = "A" * 22


def is_vendor(type_: str) -> bool:
    """Whether the type is a vendor's own: `x.<reverse domain>.<name>`, as in `x.ru.example.sla`."""
    return len(type_) <= _MAX_TYPE and _VENDOR.fullmatch(type_) is not None


def check(dt: str, data: dict[str, Any], *, salted: bool = True) -> None:
    """Return if the data is what its schema (`dt`, as in "handoff.offer/1") asks for.

    The same for what we send and for what we receive. With `salted=False` the data comes
    without its `salt`: not yet put on by the sender, or already taken off by the receiver.

    Raises `Refused(unsupported_type)` where we have no such schema, `Refused(schema_invalid)`
    where the data breaks it. That error names the member and the rule and repeats nothing
    else of the data: it goes back to the peer and before the eyes of people.
    """
    kind = _BY_SCHEMA.get(dt)
    if kind is None:
        raise Refused("unsupported_type", "This node does not know messages of this type.")
    whole = data if salted else {**data, "salt": _STAND_IN_SALT}
    try:
        _validator(kind.name).validate(whole)
    except jsonschema_rs.ValidationError as error:
        member, rule = _complaint(error)
        raise Refused(
            "schema_invalid",
            "The member '{member}' of a '{schema}' message breaks the rule '{rule}'.",
            member=member,
            schema=dt,
            rule=rule,
        ) from None  # the validator's own text quotes the data


def schema_directory() -> Path:
    """Where the schema files lie: inside the package as installed, beside it in a checkout."""
    here = Path(__file__).parent
    for directory in (here / "schemas" / "v1", here.parents[1] / "schemas" / "v1"):
        if (directory / "defs.json").is_file():
            return directory
    raise Misconfigured(
        "schemas_missing",
        "The schema files of the protocol are missing from this installation.",
        hint="Install the program again from a complete package.",
    )


def _read(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((schema_directory() / f"{name}.json").read_bytes())
    return schema


@cache
def _registry() -> jsonschema_rs.Registry:
    shared = _read("defs")
    return jsonschema_rs.Registry([(shared["$id"], shared)])


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """The compiled schema of a type. Compiled at first use: a command line needs none."""
    return jsonschema_rs.Draft202012Validator(
        _read(name),
        validate_formats=True,  # off by default in 2020-12, and then every date would pass
        ignore_unknown_formats=False,
        registry=_registry(),
        offline=True,  # a reference that is not in the registry is our mistake, not a download
        mask="...",  # its message would otherwise be as long as what it complains about
    )


def _complaint(error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """The member that is wrong, as `files[3].sha256`, and the rule it breaks, as `maxLength 43`."""
    path = list(error.instance_path)
    expected = ""
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            path.append(name)
        case jsonschema_rs.ValidationErrorKind.AnyOf(branches):
            missing = [_complaint(branch[0])[0] for branch in branches if branch]
            expected = " | ".join(missing)
        case jsonschema_rs.ValidationErrorKind.PropertyNames():
            pass  # what it expected is an error of its own, which quotes the name
        case kind:
            expected = " ".join(_shown(value) for value in kind.as_dict().values())
    return _spelled(path), f"{error.kind.name} {expected}".strip()


def _shown(value: object) -> str:
    """A part of a schema (ours, never the data) in a line of text."""
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


def _spelled(path: list[str | int]) -> str:
    """A path as people write it. A name that no member can have is foreign text: left out."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step if _MEMBER.fullmatch(step) else '?'}"
    return text.removeprefix(".") or "data"
