"""`hub token new | list | revoke`: credentials of programs."""

from __future__ import annotations

from typing import Any

from hub.actions import tokens
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.session import Session
from hub.domain.permission import SCOPES, Permission, may
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import AgentId, TokenId
from hub.queries import agents


@verb(
    N_("Make an API token. It is shown once."),
    'hub token new "Service desk" --scope tickets:read --scope tickets:write',
)
@argument("label", metavar="LABEL")
@option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help=N_("What it may be used for; may be repeated (without: all its agent may, but admin)."),
)
@option("--for", "owner", metavar="EMAIL", help=N_("For which agent it acts (else who acts)."))
@option("--expires", metavar="ISO", help=N_("It opens nothing after that."))
def new(
    manner: Manner,
    label: str,
    scopes: tuple[str, ...],
    owner: str | None,
    expires: str | None,
) -> None:
    """Make a token."""
    until = session.instant("--expires", expires)

    async def body(here: Session) -> None:
        agent_id, role = AgentId(here.actor.ref), here.actor.role
        if owner is not None:
            agent = await here.read(lambda connection: agents.named(connection, owner))
            agent_id, role = agent.id, agent.role
        wanted = scopes or tuple(
            one.value for one in SCOPES if one is not Permission.ADMIN and may(role, one)
        )
        token_id, plaintext = await tokens.new(here.hub, here.actor, agent_id, label, wanted, until)
        output.show(
            manner,
            {
                "id": token_id,
                "label": label,
                "token": plaintext,
                "scopes": sorted(wanted),
                "expires_at": until,
            },
            Facts(
                [
                    (N_("Id"), token_id),
                    (N_("Token"), plaintext),
                    (N_("Scopes"), " ".join(sorted(wanted))),
                ]
            ),
        )
        output.done(manner, _("Keep it safe: it is not shown again."), "hub token list")

    session.run(manner, body)


@verb(N_("All API tokens, with those that open nothing any more."), "hub token list")
def list_(manner: Manner) -> None:
    """List tokens."""

    async def body(here: Session) -> None:
        found = await tokens.everyone(here.hub)
        people = {one.id: one.email for one in await here.read(agents.everyone)}
        now = here.hub.now()
        rows: list[dict[str, Any]] = [
            {
                "id": one.id,
                "label": one.label,
                "agent": people.get(one.agent_id, one.agent_id),
                "scopes": list(one.scopes),
                "state": "disabled"
                if one.revoked_at or (one.expires_at and one.expires_at <= now)
                else "enabled",
                "created_at": one.created_at,
                "expires_at": one.expires_at,
                "last_used_at": one.last_used_at,
            }
            for one in found
        ]
        output.show(
            manner,
            {"tokens": rows},
            Table(
                (N_("Label"), N_("Agent"), N_("State"), N_("Scopes"), N_("Last used"), N_("Id")),
                [
                    (
                        row["label"],
                        row["agent"],
                        Word(row["state"]),
                        " ".join(row["scopes"]),
                        row["last_used_at"],
                        row["id"],
                    )
                    for row in rows
                ],
                _('No tokens yet. Make one:  hub token new "LABEL"'),
            ),
        )

    session.run(manner, body)


@verb(N_("A token opens nothing from now on."), "hub token revoke tok_0192…")
@argument("token", metavar="ID")
def revoke(manner: Manner, token: str) -> None:
    """Revoke a token."""

    async def body(here: Session) -> None:
        await tokens.revoke(here.hub, here.actor, TokenId(token))
        output.show(manner, {"id": token, "state": "disabled"})
        output.done(manner, _("The token is revoked."), "hub token list")

    session.run(manner, body)
