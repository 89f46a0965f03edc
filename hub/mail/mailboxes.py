"""Mailboxes of the node: one YAML file each in `<data>/mailboxes/`, checked whole at the start.

`hub mail schema` writes the schema of these files; an editor that reads the first line of one
(`# yaml-language-server: $schema=…`) completes and checks it while it is written. Secrets stand in
files or variables of their own, never here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from connectors.rest.source import BadDescription
from hub.actions.intake import Intake
from hub.domain.ticket import Priority
from hub.errors import Misconfigured
from hub.mail import yaml_files
from hub.mail.headers import strict

FOLDER: Final = "mailboxes"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _address(text: str) -> str:
    found = strict(text).lower()
    if not found or "+" in found:
        msg = 'must be a plain address without "+", for instance "help@company.example"'
        raise ValueError(msg)
    return found


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Secret(_Part):
    """Where a secret stands; never the secret itself."""

    file: Path | None = Field(default=None, description="a file with nothing else in it")
    env: str | None = Field(default=None, description="a variable of the environment")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.env is None):
            msg = "name either a file or a variable (env)"
            raise ValueError(msg)
        return self

    def read(self, env: Mapping[str, str]) -> str:
        """The secret. Raises Misconfigured where it is not there."""
        found = env.get(self.env) if self.env is not None else None
        if self.file is not None:
            try:
                found = self.file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise _secret_missing(str(self.file), str(error)) from error
        if not found:
            raise _secret_missing(self.env or str(self.file), "empty")
        return found


def _secret_missing(place: str, because: str) -> Misconfigured:
    return Misconfigured(
        "mail_secret_missing",
        "The secret of a mailbox cannot be read from {place}.",
        hint="hub config check",
        because=because,
        place=place,
    )


class Server(_Part):
    """A mail server and how we prove who we are."""

    host: str = Field(min_length=1, max_length=253, description="its name, as in its certificate")
    port: int | None = Field(default=None, ge=1, le=65_535, description="empty: the usual one")
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls", description="none only for a server on this machine"
    )
    ca_file: Path | None = Field(
        default=None, description="whom we trust to name the server, if not the system's list"
    )
    user: str | None = Field(default=None, description="empty: it asks nobody")
    password: Secret | None = Field(default=None, description="of that user")
    oauth2_token: Secret | None = Field(
        default=None, description="access token instead of a password; read anew at each login"
    )
    timeout_s: float = Field(default=30.0, gt=0, le=300, description="a silent server is given up")

    @model_validator(mode="after")
    def _proves_itself(self) -> Self:
        if self.security == "none" and not _loopback(self.host):
            msg = "must use tls or starttls: only a server on this machine may do without"
            raise ValueError(msg)
        if self.user is not None and (self.password is None) == (self.oauth2_token is None):
            msg = "a user needs either a password or an oauth2_token"
            raise ValueError(msg)
        return self


class Imap(Server):
    """Where letters are fetched."""

    folders: tuple[str, ...] = Field(default=("INBOX",), min_length=1, description="in this order")
    idle: bool = Field(default=True, description="let the server say when something comes")
    look_every_s: int = Field(default=60, ge=5, le=3600, description="looked at so often anyway")


class Dkim(_Part):
    """How our letters are signed, where our mail server does not do it."""

    selector: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        description="names the key in the DNS"
    )
    key: Secret = Field(description="the private key, PEM")


class Tickets(_Part):
    """What a new letter becomes."""

    service: str = Field(default="", max_length=200, description="the service of the ticket")
    priority: Priority = Field(default=Priority.NORMAL, description="the priority of the ticket")
    acknowledge: bool = Field(
        default=True, description="tell a person once a day that the letter became a ticket"
    )


class Mailbox(_Part):
    """One mailbox."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="its address; replies come to address+r.… of the same mailbox"
    )
    name: str = Field(default="", max_length=200, description="who writes, as people see it")
    language: Literal["", "en", "ru"] = Field(default="", description="empty: the node's")
    aliases: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        default=(), description="further addresses whose letters come here"
    )
    authserv_id: str = Field(
        default="",
        description="the name our mail server gives itself in Authentication-Results; empty: no "
        "verdict of it is believed",
    )
    check_dkim: bool = Field(
        default=False, description="check signatures here: for letters straight from outside"
    )
    tickets: Tickets = Field(default_factory=Tickets, description="what a new letter becomes")
    imap: Imap | None = Field(default=None, description="where letters are fetched")
    smtp: Server | None = Field(default=None, description="who takes our letters")
    dkim: Dkim | None = Field(default=None, description="how our letters are signed")

    @property
    def intake(self) -> Intake:
        """How it makes tickets of letters."""
        return Intake(
            address=self.address,
            service=self.tickets.service,
            priority=self.tickets.priority,
            acknowledge=self.tickets.acknowledge,
            language=self.language,
        )


_SHAPES: Final = (Mailbox, Tickets, Dkim, Imap, Server, Secret)


def schema() -> dict[str, Any]:
    """The JSON Schema of a mailbox file."""
    found = Mailbox.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return found


def load(data: Path) -> tuple[Mailbox, ...]:
    """Every mailbox of the node, in the order of their files' names.

    Raises Misconfigured: `file:line:column what` for each mistake of the first file that has any.
    """
    found: dict[str, Mailbox] = {}
    for path in sorted((data / FOLDER).glob("*.yaml")):
        one = _read(path)
        if one.address in found:
            raise _wrong(f"{path}:1:1 another file has the address {one.address}")
        found[one.address] = one
    return tuple(found.values())


def _read(path: Path) -> Mailbox:
    try:
        source = yaml_files.read(path)
        return yaml_files.shaped(source, Mailbox, _SHAPES)
    except BadDescription as error:
        raise _wrong(str(error)) from error


def _wrong(mistakes: str) -> Misconfigured:
    return Misconfigured("mailbox_invalid", "{mistakes}", hint="hub mail schema", mistakes=mistakes)
