"""`hub link`: how a link begins (also by mail), is looked at, changed and ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from hub.actions import invitations, links, mail_links, outgoing, peer_keys, promotion
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, peer_names, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import FAILED
from hub.cli.session import Session
from hub.domain.agreement import Offer, offer_from_scopes
from hub.errors import Misconfigured, Refused, Unavailable
from hub.federation import linking
from hub.federation.probe import probe
from hub.i18n import LANGUAGES, N_
from hub.i18n import gettext as _
from hub.queries import links as views
from hub.queries import names
from hub.queries.links import LinkView

if TYPE_CHECKING:
    from hub.ids import LinkId
    from hub.storage.links import Link

_peer_argument = argument("peer", metavar="PARTNER", shell_complete=peer_names)
_scopes_option = option(
    "--scopes",
    metavar="FILE.yaml",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=N_("What we offer for this link (else the defaults)."),
)
_yes_option = option("--yes", is_flag=True, help=N_("Do not ask."))


# --- beginning ------------------------------------------------------------------------------


@verb(
    N_("Make a one-time code for a partner. It is shown once: hand it over by a safe way."),
    'hub link invite "Master South"',
    'hub link invite "Master South" --compare --scopes south.yaml --show-qr',
    'hub link invite --by-mail dispatcher@master-south.example --name "Master South"',
)
@argument("name", metavar="PARTNER", required=False, default="")
@option("--name", "called", metavar="TEXT", default="", help=N_("The same, as an option."))
@option(
    "--by-mail",
    metavar="ADDRESS",
    default="",
    help=N_("The partner has no node: it works by letters to this address."),
)
@option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=None,
    help=N_("In which its letters are written (with --by-mail)."),
)
@option("--compare", is_flag=True, help=N_("Our people compare digits before it is active."))
@_scopes_option
@option("--show-qr", is_flag=True, help=N_("Also as a QR code on the terminal."))
def invite(
    manner: Manner,
    name: str,
    called: str,
    by_mail: str,
    language: str | None,
    compare: bool,
    scopes: Path | None,
    show_qr: bool,
) -> None:
    """Make an invitation, or at once the link with a partner that has only a mailbox."""
    offer = None if scopes is None else read_scopes(scopes)
    name = name or called
    if by_mail:
        _invite_by_mail(manner, by_mail, name, language or "", offer)
        return
    if not name:
        raise click.UsageError(_("Say which partner: its name, or --by-mail ADDRESS."))

    async def body(here: Session) -> None:
        made = await invitations.invite(here.hub, here.actor, name, offer=offer, compare=compare)
        _show_invitation(here, made)
        if show_qr and not manner.json:
            _show_qr(made.url)
        output.done(
            manner,
            _("The invitation for {peer} is made; it works once.").format(peer=name),
            "hub link list",
        )

    session.run(manner, body)


def _show_invitation(here: Session, made: invitations.Invited) -> None:
    output.show(
        here.manner,
        {"id": made.id, "code": made.code, "url": made.url, "expires_at": made.expires_at},
        Facts(
            [
                (N_("Code"), made.code),
                (N_("Link"), made.url),
                (N_("Valid until"), output.iso(made.expires_at)),
                (N_("Our key"), invitations.fingerprint(here.hub.account.node_id)),
            ]
        ),
    )


def _invite_by_mail(
    manner: Manner, address: str, name: str, language: str, offer: Offer | None
) -> None:
    async def body(here: Session) -> None:
        link = await mail_links.invite(
            here.hub, here.actor, address, name=name, language=language, offer=offer
        )
        _show_link(here, await _view(here, link.id))
        output.done(
            manner,
            _("{peer} works by mail from now on.").format(peer=link.peer_name),
            f'hub ticket handoff NUMBER --to "{link.peer_name}"',
        )

    session.run(manner, body)


@verb(
    N_("Make the code by which a partner that works by mail gets a node; its work moves there."),
    'hub link promote "Master South"',
)
@_peer_argument
def promote(manner: Manner, peer: str) -> None:
    """Make the invitation that takes the place of a mail link."""

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        made = await promotion.invite(here.hub, here.actor, link.id)
        _show_invitation(here, made)
        output.done(
            manner,
            _("Once {peer} accepts it, open work moves to its node.").format(peer=link.peer_name),
            "hub link list",
        )

    session.run(manner, body)


def _show_qr(url: str) -> None:
    import segno

    segno.make(url, micro=False).terminal(out=sys.stderr, compact=True)


def read_scopes(path: Path) -> Offer:
    """The offer a scopes file describes. Raises Misconfigured naming file, line and column."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        found = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise _bad_scopes(place, str(error.problem or "is not YAML")) from error
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise _bad_scopes(str(path), _("it cannot be read as YAML")) from error
    if found is None:
        found = {}
    if not isinstance(found, Mapping):
        raise _bad_scopes(f"{path}:1:1", _("must be a list of `name: value` lines"))
    try:
        return offer_from_scopes(found)
    except Refused as error:
        place = _place(path, found, str(error.facts.get("key", "")))
        raise _bad_scopes(place, error.told, error.hint) from error


def _bad_scopes(place: str, problem: str, hint: str = "") -> Misconfigured:
    return Misconfigured(
        "scopes_invalid",
        "{place}: {problem}",
        hint="{advice}" if hint else "",
        place=place,
        problem=problem,
        advice=hint,
    )


def _place(path: Path, found: Any, dotted: str) -> str:
    """`file:line:column` of the deepest part of the key that stands in the file."""
    place = f"{path}:1:1"
    for name in dotted.split("."):
        if not isinstance(found, Mapping) or name not in found or not hasattr(found, "lc"):
            break
        line, column = found.lc.key(name)
        place = f"{path}:{line + 1}:{column + 1}"
        found = found[name]
    return place


_STEPS: Final = {
    "reached": (1, N_("The partner's node answers")),
    "identity": (2, N_("Its key is the one of the code")),
    "clock": (3, N_("Clock and protocol version fit")),
    "agreement": (4, N_("The agreement is what both offers make")),
    "signed": (5, N_("Signed")),
}


def _progress(manner: Manner) -> linking.Progress:
    def told(step: str) -> None:
        number, text = _STEPS[step]
        output.say(manner, f"  [{number}/{len(_STEPS)}] {_(text)} ✓")

    return told


@verb(
    N_("Accept a partner's invitation: the code, or the address that carries it."),
    "hub link accept txp1.eyJ… --yes",
    "hub link accept https://hub.plus.example/i#txp1.eyJ…",
)
@argument("code", metavar="CODE")
@_yes_option
@_scopes_option
def accept(manner: Manner, code: str, yes: bool, scopes: Path | None) -> None:
    """Accept an invitation."""
    offer = None if scopes is None else read_scopes(scopes)
    told = _progress(manner)

    async def body(here: Session) -> None:
        prepared = await linking.accept(here.hub, here.transport, here.actor, code, offer, told)
        link_id = prepared.link.id
        view = await _view(here, link_id)
        if not yes:
            if not session.may_ask(manner):
                _show_link(here, view)
                output.warn(manner, _("Nothing is signed yet: this was not answered with --yes."))
                output.done(
                    manner, _("Compare the digits, then sign."), f"hub link confirm {link_id}"
                )
                return
            _ask(manner, view)
        link = await _sign(here, link_id)
        if link.peer_signature is not None:
            told("signed")
        view = await _view(here, link_id)
        _show_link(here, view)
        _tell_how_it_stands(manner, view)

    session.run(manner, body)


async def _sign(here: Session, link_id: LinkId) -> Link:
    """Sign the agreement and take the peer's signature if its people have signed."""
    await invitations.confirm(here.hub, here.actor, link_id)
    return await linking.exchange_signatures(here.hub, here.transport, link_id)


async def _view(here: Session, name: str) -> LinkView:
    now = here.hub.now()
    return await here.read(lambda connection: views.show(connection, name, now))


def _ask(manner: Manner, view: LinkView) -> None:
    for label, value in _about(view):
        if value is not None:
            output.say(manner, f"  {_(label)}: {value.value if isinstance(value, Word) else value}")
    for line in _terms_in_words(view):
        output.say(manner, f"  {line}")
    click.confirm(_("Sign this agreement?"), default=False, abort=True, err=True)


def _about(view: LinkView) -> list[tuple[str, output.Cell]]:
    return [
        (N_("Partner"), view.peer.name),
        (N_("Address"), _address(view)),
        (N_("Key"), invitations.fingerprint(view.peer.node_id)),
        (N_("Digits"), view.digits),
    ]


def _address(view: LinkView) -> str:
    if view.by_mail is not None:
        return _("by mail: {address}").format(address=view.by_mail.address)
    return view.peer.url or _("none: it collects what is for it")


def _terms_in_words(view: LinkView) -> list[str]:
    """What the two directions of the agreement let each other do and see."""
    directions = (view.terms or {}).get("directions")
    if not isinstance(directions, Mapping):
        return []
    ours, theirs = "inviter_to_invitee", "invitee_to_inviter"
    if not view.invited_by_us:
        ours, theirs = theirs, ours
    said = []
    for name, text, closed in (
        (
            ours,
            N_("We hand tickets to {peer} and show: {what}."),
            N_("We hand no tickets to {peer}."),
        ),
        (
            theirs,
            N_("{peer} hands tickets to us and shows: {what}."),
            N_("{peer} hands no tickets to us."),
        ),
    ):
        direction = directions.get(name, {})
        template = text if direction.get("hand_off") else closed
        said.append(
            _(template).format(
                peer=view.peer.name,
                what=", ".join([_("title"), *map(str, direction.get("disclose", ()))]),
            )
        )
    return said


def _document(here: Session, view: LinkView) -> dict[str, Any]:
    line = {"id": view.id, "state": view.state, "peer": view.peer}
    return {
        **output.members(view),
        "fingerprint": invitations.fingerprint(view.peer.node_id),
        "links": [line],
    }


def _show_link(here: Session, view: LinkView) -> None:
    output.show(
        here.manner,
        _document(here, view),
        Facts(
            [
                (N_("Id"), view.id),
                (N_("State"), Word(view.state)),
                *_about(view),
                (N_("Waiting"), view.waiting or None),
                (N_("Delivery"), Word(view.health)),
                (N_("Letters that did not arrive"), _failed_letters(view)),
                (N_("Collected"), view.collected_at),
                (N_("Error"), view.last_error),
                (N_("Next"), view.next_at),
                (N_("Active since"), view.active_at),
            ]
        ),
        *_suspicions(view),
        Heading(_("Agreement")),
        Facts([("", line) for line in _terms_in_words(view)]),
    )


def _failed_letters(view: LinkView) -> int | None:
    return None if view.by_mail is None else view.by_mail.failed or None


def _suspicions(view: LinkView) -> list[output.Part]:
    if not view.suspicions:
        return []
    return [
        Heading(_("Refused here")),
        Table(
            (N_("What"), N_("How often"), N_("Last"), N_("By")),
            [
                (
                    Word(one.kind),
                    one.count,
                    one.last_at,
                    _("the partner") if one.proven else _("somebody in its name"),
                )
                for one in view.suspicions
            ],
        ),
    ]


def _tell_how_it_stands(manner: Manner, view: LinkView) -> None:
    if view.state == "active":
        output.done(
            manner,
            _("The link with {peer} is active.").format(peer=view.peer.name),
            f'hub ticket handoff NUMBER --to "{view.peer.name}"',
        )
    elif view.state == "awaiting_confirmation":
        output.done(
            manner,
            _("Signed by us. {peer} compares the digits and signs too.").format(
                peer=view.peer.name
            ),
            f"hub link show {view.id}",
        )


# --- looking --------------------------------------------------------------------------------


@verb(N_("All links, and invitations nobody has used."), "hub link list")
def list_(manner: Manner) -> None:
    """List links."""

    async def body(here: Session) -> None:
        now = here.hub.now()
        found = await here.read(lambda connection: views.everyone(connection, now))
        invited = await here.read(views.invited)
        parts: list[output.Part] = []
        if invited and sys.stdout.isatty():  # a pipe gets rows of one kind
            parts = [
                Heading(_("Invitations nobody has used")),
                Table(
                    (N_("Partner"), N_("Valid until"), N_("Id")),
                    [(one.peer, one.expires_at, one.id) for one in invited],
                ),
            ]
        output.show(
            manner,
            {"links": found, "invitations": list(invited)},
            Table(
                (N_("Partner"), N_("State"), N_("Waiting"), N_("Delivery"), N_("Id")),
                [
                    (one.peer.name, Word(one.state), one.waiting, Word(one.health), one.id)
                    for one in found
                ],
                _('No partners yet. Invite the first one:  hub link invite "NAME"'),
            ),
            *parts,
        )

    session.run(manner, body)


@verb(N_("One link: its agreement, digits, and how delivery goes."), 'hub link show "Master South"')
@_peer_argument
def show(manner: Manner, peer: str) -> None:
    """Show a link."""

    async def body(here: Session) -> None:
        _show_link(here, await _view(here, peer))

    session.run(manner, body)


# --- changing -------------------------------------------------------------------------------


@verb(
    N_("Sign the agreement of a link: the digits are the same on both sides."),
    'hub link confirm "Master South"',
)
@_peer_argument
@_yes_option
def confirm(manner: Manner, peer: str, yes: bool) -> None:
    """Sign the agreement."""

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        if not yes and session.may_ask(manner):
            _ask(manner, await _view(here, link.id))
        try:
            await _sign(here, link.id)
        except Unavailable as error:
            # Signed and kept: the workers hand it over as soon as the partner answers.
            output.warn(manner, error.told)
            output.warn(manner, _("Our signature is kept and handed over by `hub serve`."))
        view = await _view(here, link.id)
        _show_link(here, view)
        _tell_how_it_stands(manner, view)

    session.run(manner, body)


@verb(
    N_("Stop the exchange at once; what people say meanwhile waits."),
    'hub link suspend "Master South" --reason "Inventory until Monday"',
)
@_peer_argument
@option("--reason", default="", metavar="TEXT", help=N_("Why; the partner sees it."))
def suspend(manner: Manner, peer: str, reason: str) -> None:
    """Stop the exchange."""

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        await links.suspend(here.hub, here.actor, link.id, reason)
        _show_link(here, await _view(here, link.id))
        output.done(
            manner,
            _("The link with {peer} is suspended.").format(peer=link.peer_name),
            f"hub link resume {link.id}",
        )

    session.run(manner, body)


@verb(N_("Take our suspension back."), 'hub link resume "Master South"')
@_peer_argument
def resume(manner: Manner, peer: str) -> None:
    """Take a suspension back."""

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        await links.resume(here.hub, here.actor, link.id)
        _show_link(here, await _view(here, link.id))
        output.done(manner, _("We exchange with {peer} again.").format(peer=link.peer_name))

    session.run(manner, body)


@verb(
    N_("End the relation. Open hand-offs are ended, our tickets are freed; the log stays."),
    'hub link close "Master South" --reason "The contract has ended"',
)
@_peer_argument
@option("--reason", default="", metavar="TEXT", help=N_("Why; the partner sees it."))
@_yes_option
def close(manner: Manner, peer: str, reason: str, yes: bool) -> None:
    """End the relation."""

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        if not yes and session.may_ask(manner):
            output.warn(
                manner,
                _("Open hand-offs with {peer} end, and nothing can be exchanged any more.").format(
                    peer=link.peer_name
                ),
            )
            typed = click.prompt(_("Type the partner's name to close the link"), err=True)
            if typed.strip().casefold() != link.peer_name.casefold():
                raise click.Abort
        if link.state in {"requested", "awaiting_confirmation"}:
            await invitations.void(here.hub, here.actor, link.id, reason)
        else:
            await links.close(here.hub, here.actor, link.id, reason)
        _show_link(here, await _view(here, link.id))
        output.done(manner, _("The link with {peer} is closed.").format(peer=link.peer_name))

    session.run(manner, body)


@verb(
    N_("Look whether the node at a partner's address still has the identity we pinned."),
    'hub link check-keys "Master South"',
)
@_peer_argument
def check_keys(manner: Manner, peer: str) -> int:
    """Compare the partner's document with what is pinned; nothing of it is ever taken over."""

    async def body(here: Session) -> int:
        link = await here.read(lambda connection: names.link(connection, peer))
        outgoing.check_node(link)
        if link.collects:
            raise Refused(
                "peer_cannot_be_called",
                "{peer} cannot be called: its keys come with what it says.",
                hint="hub link show {peer}",
                peer=link.peer_name,
            )
        seen = await probe(here.hub, here.transport, link.peer_base_url)
        found = await peer_keys.compare(here.hub, link.id, seen.document)
        output.show(
            manner,
            {
                "link": link.id,
                "peer": link.peer_name,
                "verdict": found.verdict,
                "pinned_version": found.pinned_version,
                "shown_version": found.shown_version,
            },
            Facts(
                [
                    (N_("Partner"), link.peer_name),
                    (N_("Identity"), Word(found.verdict)),
                    (N_("Key set we know"), found.pinned_version),
                    (N_("Key set shown"), found.shown_version),
                ]
            ),
        )
        if found.verdict == "different":
            output.warn(manner, _("Ask the partner by telephone; trust nothing new."))
            return FAILED
        return 0

    return session.run(manner, body)
