"""`hub user add | list | disable`: people of this account."""

from __future__ import annotations

import click

from hub.actions import agents
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import agents as views


@verb(N_("Add an agent."), 'hub user add olga@plus.example --name "Olga Serova" --role engineer')
@argument("email", metavar="EMAIL")
@option("--name", required=True, help=N_("Display name; partners may see it."))
@option(
    "--role", type=click.Choice(agents.ROLES), default="dispatcher", help=N_("What they may do.")
)
def add(manner: Manner, email: str, name: str, role: str) -> None:
    """Add an agent."""

    async def body(here: Session) -> None:
        made = await agents.add(here.hub, here.actor, email=email, name=name, role=role)
        output.show(
            manner,
            {"id": made, "email": email, "name": name, "role": role},
            Facts([(N_("Id"), made), (N_("E-mail"), email), (N_("Name"), name)]),
        )
        output.done(manner, _("{name} is added.").format(name=name), "hub user list")

    session.run(manner, body)


@verb(N_("All agents."), "hub user list")
def list_(manner: Manner) -> None:
    """List agents."""
    found = session.read(manner, lambda connection, _hub: views.everyone(connection))
    output.show(
        manner,
        {"users": found},
        Table(
            (N_("E-mail"), N_("Name"), N_("Role"), N_("State"), N_("Id")),
            [(one.email, one.name, Word(one.role), Word(one.state), one.id) for one in found],
        ),
    )


@verb(
    N_("An agent, and their tokens, may do nothing from now on."),
    "hub user disable olga@plus.example",
)
@argument("name", metavar="EMAIL")
def disable(manner: Manner, name: str) -> None:
    """Disable an agent."""

    async def body(here: Session) -> None:
        agent_id = await agents.disable(here.hub, here.actor, name)
        output.show(manner, {"id": agent_id, "state": "disabled"})
        output.done(manner, _("{name} is disabled.").format(name=name), "hub user list")

    session.run(manner, body)
