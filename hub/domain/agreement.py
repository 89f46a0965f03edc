"""What two accounts let each other do and see, and how two offers become one set of terms.

Both nodes can compute `combine` from the two offers, so neither can slip a term in. All
numbers are integers: the terms are signed as strict JSON. The file format that operators
write is described in docs/reference/scopes.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from hub.domain.handoff import Party
from hub.errors import Refused


class DisclosureClass(StrEnum):
    """What can be switched on and off, per link and per hand-off. The title always leaves."""

    DESCRIPTION = "description"
    PRIORITY = "priority"  # off: every offer says "normal"
    DUE = "due"  # the date we ask for
    ASSET = "asset"
    SITE = "site"
    CONTACT = "contact"  # whom to call on site: personal data
    FILES = "files"
    CHECKLIST = "checklist"
    FIELDS = "fields"  # custom fields, and of these only the ones the terms name
    AUTHOR_NAMES = "author_names"  # display names of our people
    SUBCONTRACTOR_NAMES = "subcontractor_names"  # names of people and companies further on


DEFAULT_DISCLOSED: Final = frozenset(
    {
        DisclosureClass.DESCRIPTION,
        DisclosureClass.PRIORITY,
        DisclosureClass.DUE,
        DisclosureClass.ASSET,
        DisclosureClass.SITE,
        DisclosureClass.CONTACT,
        DisclosureClass.FILES,
        DisclosureClass.AUTHOR_NAMES,
    }
)
"""What a principal shows unless it says otherwise."""

ANSWERABLE: Final = frozenset(
    {
        DisclosureClass.FILES,
        DisclosureClass.AUTHOR_NAMES,
        DisclosureClass.SUBCONTRACTOR_NAMES,
    }
)
"""Classes that also exist on the way back, from the contractor to the principal."""

DEFAULT_ANSWERED: Final = DEFAULT_DISCLOSED & ANSWERABLE
"""What a contractor shows unless it says otherwise."""


class Subcontracting(StrEnum):
    """Whether the contractor may hand the work on. From the strictest to the loosest."""

    FORBIDDEN = "forbidden"
    CONSENT = "consent"  # only after the principal said yes; then as with notice
    NOTICE = "notice"  # yes, and the principal hears of it
    ALLOWED = "allowed"  # yes, without a word


class CancelPolicy(StrEnum):
    """How the contractor answers a cancel request."""

    AUTO = "auto"  # granted at once
    ASSESS = "assess"  # by people, within the agreed hours


LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "max_open": (0, 1_000_000),
    "max_file_bytes": (0, 10 * 1024**3),
    "max_files": (0, 20),  # in one message; the protocol's own cap
    "messages_per_minute": (1, 1_000_000),
    "auto_accept_after_hours": (0, 8760),  # 0: never by itself
    "cancel_assess_hours": (1, 720),
    "warranty_days": (0, 3650),
    "hop_limit": (1, 16),
}
"""The smallest and the largest value of every number in the terms."""

_NAMES_MAX: Final = 200  # entries of a list of names
_NAME_MAX: Final = 200  # characters of a name


@dataclass(frozen=True, slots=True)
class AsPrincipal:
    """What we offer for the hand-offs that go from us to the peer."""

    hand_off: bool = True  # we want to hand work to this peer
    services: tuple[str, ...] = ()  # empty: any
    max_open: int = 1000
    disclose: frozenset[DisclosureClass] = DEFAULT_DISCLOSED
    fields: tuple[str, ...] = ()  # custom fields that leave, with class `fields`
    max_file_bytes: int = 100 * 1024**2
    max_files: int = 20
    messages_per_minute: int = 6000
    subcontracting: Subcontracting = Subcontracting.NOTICE
    auto_accept_after_hours: int = 72
    relay_comments: bool = True  # public comments go along the chain by themselves
    hop_limit: int = 5


@dataclass(frozen=True, slots=True)
class AsContractor:
    """What we offer for the hand-offs that come from the peer to us."""

    hand_off: bool = True  # we are ready to take work from this peer
    services: tuple[str, ...] = ()  # empty: any
    max_open: int = 1000
    disclose: frozenset[DisclosureClass] = DEFAULT_ANSWERED  # of ANSWERABLE
    max_file_bytes: int = 100 * 1024**2
    max_files: int = 20
    messages_per_minute: int = 6000
    subcontracting: Subcontracting = Subcontracting.NOTICE
    cancel: CancelPolicy = CancelPolicy.AUTO
    cancel_assess_hours: int = 24
    warranty_days: int = 14


@dataclass(frozen=True, slots=True)
class Offer:
    """What an account offers for a link, in both roles."""

    as_principal: AsPrincipal = field(default_factory=AsPrincipal)
    as_contractor: AsContractor = field(default_factory=AsContractor)

    def to_data(self) -> dict[str, object]:
        """The offer as strict JSON: objects, lists, strings, integers and booleans only."""
        return {
            "as_principal": _data(self.as_principal),
            "as_contractor": _data(self.as_contractor),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> Offer:
        """The offer a peer sent. Members we do not know are ignored, missing ones are not.

        Raises `Refused(offer_invalid)` naming the member.
        """
        top = _Reader(data, "", code="offer_invalid")
        return cls(
            _as_principal(top.inside("as_principal")),
            _as_contractor(top.inside("as_contractor")),
        )


@dataclass(frozen=True, slots=True)
class Direction:
    """The agreed terms of one direction: one account as principal, the other as contractor."""

    hand_off: bool
    services: tuple[str, ...]  # empty: any
    max_open: int  # hand-offs that are not over
    disclose: frozenset[DisclosureClass]  # by the principal
    contractor_discloses: frozenset[DisclosureClass]  # by the contractor, of ANSWERABLE
    fields: tuple[str, ...]
    max_file_bytes: int
    max_files: int  # in one message
    messages_per_minute: int
    subcontracting: Subcontracting
    auto_accept_after_hours: int  # from resolved to confirmed by silence; 0: never
    cancel: CancelPolicy
    cancel_assess_hours: int
    warranty_days: int  # for which closed work may be returned
    relay_comments: bool
    hop_limit: int

    def disclosed_by(self, party: Party) -> frozenset[DisclosureClass]:
        """The classes this party shows the other."""
        return self.disclose if party is Party.PRINCIPAL else self.contractor_discloses

    def to_data(self) -> dict[str, object]:
        """The terms of this direction as strict JSON."""
        return _data(self)


def default_offer() -> Offer:
    """What an account offers that chose nothing: work both ways, and the default disclosure."""
    return Offer()


def check_may_hand_off(direction: Direction, *, service: str = "", open_now: int = 0) -> None:
    """Return if one more hand-off of this service is within the terms.

    `open_now` counts the direction's hand-offs that are not over, without the new one. Raises
    `Refused(scope_denied | limit_exceeded)`.
    """
    if not direction.hand_off:
        raise Refused("scope_denied", "The agreement has no hand-offs in this direction.")
    if direction.services and service not in direction.services:
        raise Refused(
            "scope_denied",
            "The agreement does not cover the service '{service}'.",
            hint="It covers: {services}.",
            service=service or "-",
            services=", ".join(direction.services),
        )
    if open_now >= direction.max_open:
        raise Refused(
            "limit_exceeded",
            "No more than {limit} hand-offs may be open at a time in this direction.",
            limit=direction.max_open,
        )


# --- two offers become terms -------------------------------------------------------------

INVITER_TO_INVITEE: Final = "inviter_to_invitee"
INVITEE_TO_INVITER: Final = "invitee_to_inviter"


def combine(inviter: Offer, invitee: Offer) -> dict[str, object]:
    """The terms that follow from two offers; the same on both nodes.

    Nobody gets more than both offered: a direction opens if both want it, numbers are the
    smaller, subcontracting the stricter. What concerns only one side's data or work is that
    side's: disclosure is of the one who shows, cancelling and warranty of the one who works.
    """
    return {
        INVITER_TO_INVITEE: _direction(inviter.as_principal, invitee.as_contractor).to_data(),
        INVITEE_TO_INVITER: _direction(invitee.as_principal, inviter.as_contractor).to_data(),
    }


def _direction(principal: AsPrincipal, contractor: AsContractor) -> Direction:
    services, any_left = _common(principal.services, contractor.services)
    order = list(Subcontracting)
    return Direction(
        hand_off=principal.hand_off and contractor.hand_off and any_left,
        services=services,
        max_open=min(principal.max_open, contractor.max_open),
        disclose=principal.disclose,
        contractor_discloses=contractor.disclose,
        fields=principal.fields,
        max_file_bytes=min(principal.max_file_bytes, contractor.max_file_bytes),
        max_files=min(principal.max_files, contractor.max_files),
        messages_per_minute=min(principal.messages_per_minute, contractor.messages_per_minute),
        subcontracting=min(principal.subcontracting, contractor.subcontracting, key=order.index),
        auto_accept_after_hours=principal.auto_accept_after_hours,
        cancel=contractor.cancel,
        cancel_assess_hours=contractor.cancel_assess_hours,
        warranty_days=contractor.warranty_days,
        relay_comments=principal.relay_comments,
        hop_limit=principal.hop_limit,
    )


def _common(ours: Sequence[str], theirs: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    # An empty list means any service, so an empty intersection of two full lists must not
    # come out as one: it closes the direction instead.
    if not ours or not theirs:
        return tuple(sorted({*ours, *theirs})), True
    both = tuple(sorted(set(ours) & set(theirs)))
    return both, bool(both)


def direction_from_terms(data: Mapping[str, object]) -> Direction:
    """One direction of an agreement's terms. Raises `Refused(terms_invalid)`."""
    read = _Reader(data, "", code="terms_invalid")
    return Direction(
        hand_off=read.flag("hand_off"),
        services=read.names("services"),
        max_open=read.count("max_open"),
        disclose=read.classes("disclose", frozenset(DisclosureClass)),
        contractor_discloses=read.classes("contractor_discloses", ANSWERABLE),
        fields=read.names("fields"),
        max_file_bytes=read.count("max_file_bytes"),
        max_files=read.count("max_files"),
        messages_per_minute=read.count("messages_per_minute"),
        subcontracting=read.choice("subcontracting", Subcontracting),
        auto_accept_after_hours=read.count("auto_accept_after_hours"),
        cancel=read.choice("cancel", CancelPolicy),
        cancel_assess_hours=read.count("cancel_assess_hours"),
        warranty_days=read.count("warranty_days"),
        relay_comments=read.flag("relay_comments"),
        hop_limit=read.count("hop_limit"),
    )


def direction_of(terms: Mapping[str, object], *, inviter_is: Party) -> Direction:
    """The direction in which the inviter of the link is this party.

    Raises `Refused(terms_invalid)`.
    """
    name = INVITER_TO_INVITEE if inviter_is is Party.PRINCIPAL else INVITEE_TO_INVITER
    read = _Reader(terms, "", code="terms_invalid")
    return direction_from_terms(read.inside(name).data)


# --- reading and writing -----------------------------------------------------------------


def offer_from_scopes(mapping: Mapping[str, object]) -> Offer:
    """The offer that a scopes file describes; whatever it leaves out is as in `default_offer`.

    Raises `Refused(scopes_invalid)` naming the key, and the right one where it looks like a
    slip: a misspelled key must not silently leave something disclosed.
    """
    top = _Reader(mapping, "", code="scopes_invalid", known={"as_principal", "as_contractor"})
    defaults = default_offer()
    principal = top.inside("as_principal", defaults.as_principal)
    contractor = top.inside("as_contractor", defaults.as_contractor)
    offer = Offer(_as_principal(principal), _as_contractor(contractor))
    named, disclosed = offer.as_principal.fields, offer.as_principal.disclose
    if bool(named) != (DisclosureClass.FIELDS in disclosed):
        raise Refused(
            "scopes_invalid",
            "Custom fields leave only if 'disclose.fields' is true and 'fields' names them.",
            hint="Set both under 'as_principal', or neither.",
        )
    return offer


def _as_principal(read: _Reader) -> AsPrincipal:
    return AsPrincipal(
        hand_off=read.flag("hand_off"),
        services=read.names("services"),
        max_open=read.count("max_open"),
        disclose=read.classes("disclose", frozenset(DisclosureClass)),
        fields=read.names("fields"),
        max_file_bytes=read.count("max_file_bytes"),
        max_files=read.count("max_files"),
        messages_per_minute=read.count("messages_per_minute"),
        subcontracting=read.choice("subcontracting", Subcontracting),
        auto_accept_after_hours=read.count("auto_accept_after_hours"),
        relay_comments=read.flag("relay_comments"),
        hop_limit=read.count("hop_limit"),
    )


def _as_contractor(read: _Reader) -> AsContractor:
    return AsContractor(
        hand_off=read.flag("hand_off"),
        services=read.names("services"),
        max_open=read.count("max_open"),
        disclose=read.classes("disclose", ANSWERABLE),
        max_file_bytes=read.count("max_file_bytes"),
        max_files=read.count("max_files"),
        messages_per_minute=read.count("messages_per_minute"),
        subcontracting=read.choice("subcontracting", Subcontracting),
        cancel=read.choice("cancel", CancelPolicy),
        cancel_assess_hours=read.count("cancel_assess_hours"),
        warranty_days=read.count("warranty_days"),
    )


def _data(terms: AsPrincipal | AsContractor | Direction) -> dict[str, object]:
    return {name: _plain(getattr(terms, name)) for name in terms.__slots__}


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(str(one) for one in value)  # sorted: equal terms are equal bytes
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, StrEnum) else value


_Choice = TypeVar("_Choice", bound=StrEnum)


class _Reader:
    """Typed access to one mapping that somebody else wrote.

    With `defaults` it reads a person's file: a missing key takes the default, an unknown one
    is a mistake. Without, it reads a peer's data: the other way round, so that later minor
    versions can add members.
    """

    def __init__(
        self,
        data: object,
        path: str,
        *,
        code: str,
        defaults: AsPrincipal | AsContractor | None = None,
        known: Collection[str] | None = None,
    ) -> None:
        self._path = path
        self._code = code
        self._defaults = defaults
        self._by_person = known is not None
        if data is None and self._by_person:
            data = {}  # a YAML key with nothing under it
        if not isinstance(data, Mapping):
            raise self._wrong("a mapping")
        self.data: Mapping[str, object] = data
        if known is not None:
            self._refuse_unknown(data, known)

    def inside(self, name: str, defaults: AsPrincipal | AsContractor | None = None) -> _Reader:
        data = self.data.get(name, {} if self._by_person else None)
        known = None if defaults is None else defaults.__slots__
        return _Reader(data, self._at(name), code=self._code, defaults=defaults, known=known)

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong("true or false", name)
        return value

    def count(self, name: str) -> int:
        value = self._get(name)
        low, high = LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(f"{low}..{high}", name)
        return int(value)

    def choice(self, name: str, kind: type[_Choice]) -> _Choice:
        value = self._get(name)
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        raise self._wrong(" | ".join(kind), name)

    def names(self, name: str) -> tuple[str, ...]:
        value = self._get(name)
        if (
            isinstance(value, str)
            or not isinstance(value, Sequence)
            or len(value) > _NAMES_MAX
            or not all(isinstance(one, str) and 0 < len(one) <= _NAME_MAX for one in value)
        ):
            raise self._wrong("a list of names", name)
        return tuple(dict.fromkeys(str(one) for one in value))

    def classes(self, name: str, allowed: frozenset[DisclosureClass]) -> frozenset[DisclosureClass]:
        value = self._get(name)
        if isinstance(value, frozenset):  # our own default
            return value
        if self._by_person:
            return self._switched(name, value, allowed)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._wrong("a list of names", name)
        # A class that only a newer peer knows is nothing we could show, so it may be dropped.
        return frozenset(one for one in allowed if one in value)

    def _switched(
        self, name: str, value: object, allowed: frozenset[DisclosureClass]
    ) -> frozenset[DisclosureClass]:
        default: frozenset[DisclosureClass] = getattr(self._defaults, name)
        at = self._at(name)
        switches = _Reader(value, at, code=self._code, known=sorted(allowed))
        on = {DisclosureClass(one) for one in switches.data if switches.flag(one)}
        off = {DisclosureClass(one) for one in switches.data} - on
        return (default | on) - off

    def _get(self, name: str) -> object:
        if name in self.data:
            return self.data[name]
        if self._defaults is None:
            raise self._wrong("a value", name)
        return getattr(self._defaults, name)

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _refuse_unknown(self, data: Mapping[object, object], known: Collection[str]) -> None:
        for key in data:
            if key in known:
                continue
            near = difflib.get_close_matches(str(key).lower(), known, n=1)
            raise Refused(
                self._code,
                "There is no key '{key}' here.",
                hint="Did you mean '{nearest}'?" if near else "Possible here: {known}.",
                key=self._at(str(key)),
                nearest=self._at(near[0]) if near else "",
                known=", ".join(known),
            )

    def _wrong(self, expected: str, name: str = "") -> Refused:
        return Refused(
            self._code,
            "'{key}' is missing or not right; expected: {expected}.",
            key=self._at(name) if name else self._path or "-",
            expected=expected,
        )
