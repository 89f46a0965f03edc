"""What holds a desk at work: its published files, its connector, its secrets, its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from connectors.contract import Connector, DeskError, Host, Misconfigured, Untrusted
from connectors.contract import Refused as DeskRefused
from hub.actions import desks, files
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.bridge.files import DeskSettings, understood
from hub.bridge.mapping import reason_of
from hub.bridge.outward import Calls, Client, DeskTransport
from hub.domain.desk import Rules, TheirFile
from hub.errors import HubError
from hub.errors import Refused as HubRefused
from hub.ids import DeskId

if TYPE_CHECKING:
    from hub.storage.desks import Desk

Build = Callable[[str, str, Host], "tuple[str, tuple[str, ...], Connector]"]
"""A description's text and file name → the kind of desk, the names of its secrets, its connector.

Raises hub.errors.Misconfigured where the description cannot be used."""

FOR_GOOD: Final = (DeskRefused, Misconfigured, Untrusted)
"""Errors of a desk after which asking again changes nothing."""


class DeskVault:
    """connectors.contract.Vault over the node's encrypted store."""

    def __init__(self, hub: Hub, desk_id: DeskId, secrets: dict[str, str]) -> None:
        self._hub = hub
        self._desk_id = desk_id
        self._secrets = secrets

    def read(self, name: str) -> str | None:
        """See connectors.contract.Vault."""
        return self._secrets.get(name)

    async def write(self, name: str, value: str) -> None:
        """See connectors.contract.Vault."""
        self._secrets[name] = value
        await desks.renewed(self._hub, self._desk_id, name, value)


@dataclass(frozen=True, slots=True)
class WorkingDesk:
    """One desk, as it works now."""

    desk: Desk
    settings: DeskSettings
    rules: Rules
    connector: Connector
    calls: Calls
    kind: str
    secrets: tuple[str, ...]  # names of those the description asks for

    @property
    def id(self) -> DeskId:
        """Its id here."""
        return self.desk.id


class DeskHost:
    """Every desk of the node: built when it is needed, and again when anything of it changed."""

    def __init__(self, hub: Hub, client: Client, build: Build) -> None:
        self.hub = hub
        self._client = client
        self._build = build
        self._at_work: dict[DeskId, tuple[int, dict[str, str], WorkingDesk]] = {}

    async def open(self, name: str, version: int | None = None) -> WorkingDesk:
        """The desk as published, or as this version of it says.

        Raises NotFound, Conflict(not_published), Misconfigured, Refused.
        """
        found = await desks.opened(self.hub, name, version)
        known = self._at_work.get(found.desk.id)
        if known is not None and known[0] == found.version.n and known[1] == found.secrets:
            return replace(known[2], desk=found.desk)
        made = self.assemble(
            found.desk, found.version.settings, found.version.description, found.secrets
        )
        self._at_work[found.desk.id] = (found.version.n, dict(found.secrets), made)
        return made

    def assemble(
        self, desk: Desk, settings: str, description: str, secrets: dict[str, str]
    ) -> WorkingDesk:
        """A desk from the texts of its two files. Raises Misconfigured, Refused."""
        said = understood(settings, f"{desk.name}/desk.yaml")
        rules = said.rules
        calls = Calls(desk.id)
        host = Host(
            DeskTransport(self._client, calls, self.hub.clock, self.hub.limits.file_bytes),
            self.hub.clock,
            DeskVault(self.hub, desk.id, dict(secrets)),
            dict(said.settings),
        )
        kind, asked, connector = self._build(description, f"{desk.name}/description.yaml", host)
        return WorkingDesk(desk, said, rules, connector, calls, kind, asked)

    async def write_log(self, at: WorkingDesk) -> None:
        """Put what was asked into the log."""
        await desks.note_calls(self.hub, at.calls.taken())


async def fetched(hub: Hub, at: WorkingDesk, wanted: list[TheirFile]) -> dict[str, NewFile | None]:
    """The bytes of these files, in the store; None for one that is too large for us.

    Raises DeskError: one of them cannot be had now.
    """
    found: dict[str, NewFile | None] = {}
    for one in wanted:
        if one.size is not None and one.size > hub.limits.file_bytes:
            found[one.id] = None
            continue
        try:
            found[one.id] = await files.take(
                hub, one.name, one.media_type, at.connector.download(one.ref)
            )
        except (HubRefused, DeskRefused):  # larger than it said, or not there any more
            found[one.id] = None
    return found


def reason(error: DeskError | HubError) -> dict[str, Any]:
    """An error on the way to or from a desk, to be kept and shown."""
    if isinstance(error, DeskError):
        return reason_of(error)
    facts = {name: str(value)[:300] for name, value in error.facts.items()}
    return {
        "code": error.code,
        "told": error.message_id,
        "facts": facts,
        "kind": type(error).__name__.lower(),
    }
