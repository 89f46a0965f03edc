"""Gives our letters to a mail server: verified TLS, one recipient, and one effect if it can be.

What broke off before the server's word is tried again with the same bytes; what it said after
taking the letter does not matter any more.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import aiosmtplib

from hub.errors import Misconfigured, Refused, Unavailable
from hub.mail.mailboxes import Secret, Server

QUIT_S: Final = 2.0  # a server that is slow to say goodbye has the letter already
_PORTS: Final = {"tls": 465, "starttls": 587, "none": 25}
_PERMANENT: Final = 500


class Submission(Protocol):
    """The way a letter of ours leaves."""

    async def submit(self, server: Server, sender: str, recipient: str, raw: bytes) -> None:
        """The mail server has it when this returns.

        Raises Refused(mail_refused) where it never will, Unavailable where it may later.
        """
        ...


class SmtpSubmission:
    """Mail submission over SMTP."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    async def submit(self, server: Server, sender: str, recipient: str, raw: bytes) -> None:
        client = self._client(server)
        try:
            await client.connect()
            options = ["SMTPUTF8"] if not recipient.isascii() else []
            await client.mail(sender, options=[*options, f"size={len(raw)}"] if options else None)
            await client.rcpt(recipient)
            await client.data(raw)
        except aiosmtplib.SMTPResponseException as error:
            await _leave(client)
            said = f"{error.code} {error.message}"[:300]
            if error.code >= _PERMANENT and not isinstance(
                error, aiosmtplib.SMTPAuthenticationError
            ):
                raise Refused(
                    "mail_refused", "The mail server refused it: {said}", because=said, said=said
                ) from error
            raise _later(said) from error
        except (aiosmtplib.SMTPException, OSError, ValueError, TimeoutError) as error:
            client.close()
            raise _later(f"{type(error).__name__}: {error}"[:300]) from error
        await _leave(client)

    async def reach(self, server: Server) -> None:
        """Return if the server is who it says and lets us in. Raises Unavailable, Misconfigured."""
        client = self._client(server)
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError, TimeoutError) as error:
            client.close()
            raise _later(f"{type(error).__name__}: {error}"[:300]) from error
        await _leave(client)

    def _client(self, server: Server) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port or _PORTS[server.security],
            username=server.user,
            password=None if server.password is None else server.password.read(self._env),
            oauth_token_generator=self._token(server.oauth2_token),
            timeout=server.timeout_s,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=None if server.security == "none" else trusted(server),
        )

    def _token(self, secret: Secret | None) -> Callable[[], Awaitable[str]] | None:
        if secret is None:
            return None

        async def read() -> str:
            return secret.read(self._env)

        return read


def trusted(server: Server) -> ssl.SSLContext:
    """What checks that the server is who it says. Raises Misconfigured."""
    try:
        context = ssl.create_default_context(
            cafile=None if server.ca_file is None else str(server.ca_file)
        )
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            "mail_ca_unreadable",
            "The list of trusted authorities cannot be read: {path}",
            because=str(error),
            path=str(server.ca_file),
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _leave(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        await client.quit(timeout=QUIT_S)
    client.close()


def _later(because: str) -> Unavailable:
    return Unavailable(
        "mail_unavailable", "The mail server did not take it: {said}", because=because, said=because
    )
