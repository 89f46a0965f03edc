"""The bench a desk is worked on: its draft is written, checked, tried and published.

The command line, the console and the API do the same things here, so that they find the same.
What goes over the network is a draft's own requests with the desk's own secrets; they are logged
like any others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.contract import Finding
from hub.actions import desks
from hub.actions.context import Actor, Hub
from hub.actions.desk_bench import (
    Asked,
    Changed,
    DeskKind,
    Draft,
    Failed,
    Line,
    Ours,
    Scalar,
    There,
    Trial,
    TrialOfAll,
    Unknown,
    Written,
)
from hub.actions.desk_gaps import Make, Say, Step, Tell
from hub.actions.desks import Rehearsal
from hub.bridge import files, pull
from hub.bridge.host import DeskHost, WorkingDesk
from hub.bridge.mapping import new_ticket, text_of, theirs
from hub.bridge.problems import as_ours
from hub.domain.desk import DeskRole, TheirTicket
from hub.errors import HubError, NotFound
from hub.i18n import gettext as _
from hub.ids import DeskId, TicketId

WEBHOOK_SECRET = "webhook"  # noqa: S105 - its name; a desk works without that one
_FORM = ("company", "role", "poll_every_s", "mirror", "notes", "show_names", "tell_number",
         "service")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """A description a new desk can begin with."""

    name: str
    title: str
    text: str
    tried: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Something a description asks for: a setting, or a secret."""

    name: str
    label: str
    kind: str
    hint: str


@dataclass(frozen=True, slots=True)
class Questions:
    """Everything a description asks for."""

    settings: tuple[Question, ...]
    secrets: tuple[Question, ...]


class Bench:
    """hub.actions.desk_bench.DeskBench over the files of this node."""

    def __init__(
        self,
        hub: Hub,
        data: Path,
        host: DeskHost,
        templates: Callable[[], tuple[Template, ...]],
        questions: Callable[[str, str], Questions],
        schema: Callable[[], str],
    ) -> None:
        """`questions` reads a description (text, file name); it raises Misconfigured."""
        self._hub = hub
        self._data = data
        self._host = host
        self._templates = templates
        self._questions = questions
        self._schema = schema

    def kinds(self) -> tuple[DeskKind, ...]:
        """See DeskBench."""
        return tuple(DeskKind(one.name, _(one.title), one.tried) for one in self._templates())

    async def begin(
        self, actor: Actor, kind: str, name: str, company: str, role: DeskRole
    ) -> DeskId:
        """See DeskBench."""
        wanted = {one.name: one for one in self._templates()}
        if kind not in wanted:
            raise NotFound(
                "not_found", "There is no template {name}.", hint="hub connector templates",
                name=kind,
            )  # fmt: skip
        files.check_new(self._data, name, company)
        made = await desks.begin(self._hub, actor, name, role, kind)
        place = files.write_new(self._data, name, role, company, wanted[kind].text)
        (place.parent / files.SCHEMA).write_text(json.dumps(files.schema(), indent=1), "utf-8")
        (place / "schema.json").write_text(self._schema(), "utf-8")
        return made

    # --- the draft

    async def draft(self, actor: Actor, name: str) -> Draft:
        """See DeskBench."""
        found, secrets = await desks.for_draft(self._hub, actor, name)
        settings, description = files.read(self._data, found.name)
        asked = Questions((), ())
        said: dict[str, Any] = {}
        trouble: str | None = None
        try:
            understood = files.understood(settings, f"{found.name}/{files.SETTINGS}")
            said = understood.model_dump(mode="json")
            asked = self._questions(description, f"{found.name}/{files.DESCRIPTION}")
            self._host.assemble(found, settings, description, secrets)
        except HubError as error:
            trouble = error.told
        filled = said.pop("settings", {})
        return Draft(
            settings,
            description,
            files.seal(settings, description),
            {one: said[one] for one in _FORM if one in said},
            tuple(_asked(one, filled.get(one.name)) for one in asked.settings),
            tuple(_asked(one, None) for one in asked.secrets),
            trouble,
        )

    async def fill_in(self, actor: Actor, name: str, seal: str, said: Mapping[str, Scalar]) -> None:
        """See DeskBench."""
        found, _secrets = await desks.for_draft(self._hub, actor, name)
        settings, description = files.read(self._data, found.name)
        text = files.filled_in(settings, said, f"{found.name}/{files.SETTINGS}")
        await self.write(actor, name, seal, text, description)

    async def write(
        self, actor: Actor, name: str, seal: str, settings: str, description: str
    ) -> None:
        """See DeskBench."""
        found, _secrets = await desks.for_draft(self._hub, actor, name)
        await desks.draft_written(self._hub, actor, found.name)
        await asyncio.to_thread(files.write, self._data, found.name, seal, settings, description)

    async def _assembled(self, actor: Actor, name: str) -> tuple[WorkingDesk, dict[str, str]]:
        found, secrets = await desks.for_draft(self._hub, actor, name)
        settings, description = files.read(self._data, found.name)
        return self._host.assemble(found, settings, description, secrets), secrets

    async def check(self, actor: Actor, name: str) -> list[Line]:
        """See DeskBench."""
        at, kept = await self._assembled(actor, name)
        missing = [one for one in at.secrets if one not in kept and one != WEBHOOK_SECRET]
        if missing:
            return [
                Line(
                    one, "error", _("This secret is not kept yet."),
                    f"hub connector secret {at.desk.name} {one}",
                )
                for one in missing
            ]  # fmt: skip
        try:
            return [_line(one) for one in await at.connector.check()]
        finally:
            await self._host.write_log(at)

    async def publish(self, actor: Actor, name: str) -> int:
        """See DeskBench."""
        at, _secrets = await self._assembled(actor, name)
        settings, description = files.read(self._data, at.desk.name)
        return await desks.publish(self._hub, actor, name, at.rules, at.kind, settings, description)

    # --- trying it

    async def try_one(self, actor: Actor, name: str, there: str) -> Trial:
        """See DeskBench."""
        at, _secrets = await self._assembled(actor, name)
        try:
            with as_ours(at.desk.name):
                found = theirs(await at.connector.fetch(there))
                done = await self._rehearsed(at, found)
        finally:
            await self._host.write_log(at)
        return self._trial(found, done)

    async def try_all(self, actor: Actor, name: str) -> TrialOfAll:
        """See DeskBench."""
        at, _secrets = await self._assembled(actor, name)
        seen = begun = changed = 0
        failed: list[Failed] = []
        unknown: set[tuple[str, str]] = set()
        try:
            with as_ours(at.desk.name):
                async for page in at.connector.open_tickets():
                    for one in page.tickets:
                        seen += 1
                        found = theirs(one)
                        unknown |= set(found.unknown)
                        try:
                            taken = (await self._rehearsed(at, found)).taken
                        except HubError as error:
                            failed.append(Failed(found.id, error.told))
                            continue
                        begun += bool(taken and taken.begun)
                        changed += bool(taken and not taken.begun and taken.fields)
                    failed += [Failed(one.id, one.error.told) for one in page.failed]
        finally:
            await self._host.write_log(at)
        words = tuple(Unknown(field, value) for field, value in sorted(unknown))
        return TrialOfAll(seen, begun, changed, tuple(failed), words)

    async def _rehearsed(self, at: WorkingDesk, found: TheirTicket) -> Rehearsal:
        private = at.connector.capabilities.private_comments
        return await desks.rehearse(self._hub, at.id, at.rules, found, notes=private)

    def _trial(self, found: TheirTicket, done: Rehearsal) -> Trial:
        taken, ours = done.taken, done.ours
        fields = {} if taken is None else taken.fields
        return Trial(
            there=There(
                id=found.id,
                number=found.number,
                url=found.url,
                title=found.title,
                description=found.description,
                status=found.status,
                status_there=found.status_there,
                priority=found.priority,
                assigned=found.assigned,
                comments=len(found.comments),
                files=tuple(one.name for one, _in in found.every_file()),
            ),
            ours=None
            if ours is None
            else Ours(ours.number, ours.title, ours.description, ours.status, ours.priority),
            new=bool(taken and taken.begun),
            changed=tuple(Changed(name, *both) for name, both in fields.items()),
            comments=0 if taken is None else taken.comments,
            files=done.files,
            unknown=tuple(Unknown(field, value) for field, value in found.unknown),
            sent=tuple(_written(one, self._hub.account.name) for one in done.steps),
        )

    # --- what is there already

    async def join(self, actor: Actor, name: str, ticket_id: TicketId, there: str) -> None:
        """See DeskBench."""
        await desks.for_draft(self._hub, actor, name)
        at = await self._host.open(name)
        try:
            with as_ours(at.desk.name):
                found = theirs(await at.connector.fetch(there))
        finally:
            await self._host.write_log(at)
        await desks.join(self._hub, actor, name, ticket_id, found)

    async def fill(self, actor: Actor, name: str) -> tuple[int, int]:
        """See DeskBench."""
        await desks.for_draft(self._hub, actor, name)
        at = await self._host.open(name)
        try:
            with as_ours(at.desk.name):
                return await pull.fill(self._host, at)
        finally:
            await self._host.write_log(at)


def _asked(one: Question, value: Any) -> Asked:
    """In the reader's language: the words of templates we ship stand in the catalogue."""
    hint = _(one.hint) if one.hint else ""
    return Asked(one.name, _(one.label), one.kind, hint, value)


def _line(one: Finding) -> Line:
    told = _(one.told).format_map(dict(one.facts)) if one.told else ""
    return Line(one.what, str(one.level), told, _(one.cure) if one.cure else "")


def _written(step: Step, company: str) -> Written:
    if isinstance(step, Make):
        wish = new_ticket(step, "")
        return Written("ticket", f"{wish.title}\n\n{wish.description}")
    if isinstance(step, Tell):
        return Written("fields", ", ".join(f"{name} = {v}" for name, v in step.values.items()))
    if isinstance(step, Say):
        return Written("comment", text_of(step, company))
    said: dict[str, Any] = step.view.to_data()
    return Written("file", said["name"])
