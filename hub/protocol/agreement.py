"""The agreement of a link: one text that both nodes sign byte for byte.

Its hash starts both streams, and forty digits made from it are what two people compare. A
node between them that changed anything would have to show both the same digits for different
texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from hub.errors import Untrusted
from hub.ids import LinkId
from hub.protocol import jws, strict_json
from hub.protocol.encoding import instant, sha256_b64
from hub.protocol.invitation import check_base_url
from hub.protocol.keys import PublicKey, Signer
from hub.protocol.linking import MAX_OFFER
from hub.protocol.members import MAX_SHORT, MAX_URL, Members
from hub.protocol.versions import SUPPORTED

MAX_AGREEMENT: Final = 64 * 1024
MAX_SIGNATURE: Final = 4096
_DIGITS: Final = 40
_GROUP: Final = 5
_SAS_CONTEXT: Final = b"txp-sas"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementParty:
    """One of the two nodes, as the agreement pins it."""

    node_id: str
    name: str
    base_url: str  # empty: this party cannot be called, it makes every call itself
    identity: PublicKey
    key_set_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The exact text, and what it says. Made by `compose` and `parse` only."""

    text: str
    link: LinkId
    revision: int
    made_at: datetime
    inviter: AgreementParty
    invitee: AgreementParty
    inviter_offer: str  # exact text, as its author offered it
    invitee_offer: str
    terms: dict[str, Any]  # chosen version, capabilities, limits, directions
    legal: str  # hash of the legal text both saw

    @property
    def hash(self) -> str:
        """SHA-256 of the text: `prev` of the first message in both directions."""
        return sha256_b64(self.text.encode())

    @property
    def digits(self) -> str:
        """Forty digits in groups of five, for two people to compare by another channel."""
        number = int.from_bytes(sha256(_SAS_CONTEXT + self.text.encode()).digest(), "big")
        digits = f"{number % 10**_DIGITS:0{_DIGITS}d}"
        return " ".join(digits[at : at + _GROUP] for at in range(0, _DIGITS, _GROUP))

    def party(self, node_id: str) -> AgreementParty:
        """The party with this node id. Raises `Untrusted(agreement_mismatch)` for others."""
        for party in (self.inviter, self.invitee):
            if party.node_id == node_id:
                return party
        raise _mismatch("not a party")

    def other(self, node_id: str) -> AgreementParty:
        """The party across from this node id. Raises `Untrusted(agreement_mismatch)`."""
        return self.invitee if self.party(node_id) is self.inviter else self.inviter


def compose(
    *,
    link: str,
    made_at: datetime,
    inviter: AgreementParty,
    invitee: AgreementParty,
    inviter_offer: str,
    invitee_offer: str,
    terms: dict[str, Any],
    legal: str,
    revision: int = 1,
) -> Agreement:
    """Write an agreement. Raises `ValueError` for what `parse` would refuse: a bug."""
    text = strict_json.dump(
        {
            "link": link,
            "revision": revision,
            "made_at": instant(made_at),
            "inviter": _party_members(inviter),
            "invitee": _party_members(invitee),
            "offers": {"inviter": inviter_offer, "invitee": invitee_offer},
            "terms": terms,
            "legal": legal,
        }
    )
    try:
        return parse(text)
    except Untrusted as error:
        raise ValueError(f"not a valid agreement: {error.because}") from error


def parse(text: str) -> Agreement:
    """The agreement written in `text`. Raises `Untrusted(malformed)`."""
    data = Members(strict_json.parse(text, max_bytes=MAX_AGREEMENT, what="agreement"), "agreement")
    offers = Members(data.nested("offers"), "agreement")
    inviter, invitee = (_party(data.nested(role)) for role in ("inviter", "invitee"))
    if not inviter.base_url:
        raise data.flaw("an inviter has an address: it was called")
    if inviter.node_id == invitee.node_id or inviter.identity == invitee.identity:
        raise data.flaw("a node cannot agree with itself")
    agreement = Agreement(
        text=text,
        link=LinkId(data.an_id("link", "lnk")),
        revision=data.number("revision", 1),
        made_at=data.instant("made_at"),
        inviter=inviter,
        invitee=invitee,
        inviter_offer=offers.text("inviter", MAX_OFFER),
        invitee_offer=offers.text("invitee", MAX_OFFER),
        terms=data.nested("terms"),
        legal=data.digest("legal"),
    )
    for offer in (agreement.inviter_offer, agreement.invitee_offer):
        strict_json.parse(offer, max_bytes=MAX_OFFER, what="offer")
    if agreement.terms.get("version") not in SUPPORTED:
        raise data.flaw("terms.version")
    return agreement


def sign(agreement: Agreement, identity: Signer) -> str:
    """One side's signature of the agreement. Raises `Untrusted` if the key is not a party's."""
    payload = {
        "agreement_hash": agreement.hash,
        "link": agreement.link,
        "node_id": _party_of(agreement, identity.public).node_id,
    }
    return jws.sign(jws.Typ.AGREEMENT, strict_json.dump(payload).encode(), identity)


def check_signature(text: str, agreement: Agreement, identity: PublicKey) -> None:
    """Return if this is the signature of exactly this agreement by the party with this key.

    Raises `Untrusted`: `agreement_mismatch` for another text, link or party, else `malformed`
    or `signature_invalid`.
    """
    party = _party_of(agreement, identity)
    payload = jws.verify(text, jws.Typ.AGREEMENT, identity)
    data = Members(
        strict_json.parse(payload, max_bytes=MAX_SIGNATURE, what="agreement signature"),
        "agreement signature",
    )
    said = (data.digest("agreement_hash"), data.an_id("link", "lnk"), data.node_id("node_id"))
    if said != (agreement.hash, agreement.link, party.node_id):
        raise _mismatch("signs something else")


def _party_of(agreement: Agreement, identity: PublicKey) -> AgreementParty:
    for party in (agreement.inviter, agreement.invitee):
        if party.identity == identity:
            return party
    raise _mismatch("not the key of a party")


def _party_members(party: AgreementParty) -> dict[str, Any]:
    return {
        "node_id": party.node_id,
        "name": party.name,
        **({"base_url": party.base_url} if party.base_url else {}),
        "identity": party.identity.jwk,
        "key_set_version": party.key_set_version,
    }


def _party(parsed: dict[str, Any]) -> AgreementParty:
    data = Members(parsed, "agreement")
    base_url = ""
    if data.has("base_url"):
        base_url = data.text("base_url", MAX_URL)
        check_base_url(base_url)
    return AgreementParty(
        node_id=data.node_id("node_id"),
        name=data.text("name", MAX_SHORT),
        base_url=base_url,
        identity=PublicKey.from_jwk(data.nested("identity")),
        key_set_version=data.number("key_set_version", 1),
    )


def _mismatch(because: str) -> Untrusted:
    return Untrusted("agreement_mismatch", "The agreement is not the same.", because=because)
