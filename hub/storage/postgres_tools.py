"""`pg_dump` and `pg_restore`: PostgreSQL's own programs, which know their databases best.

Passwords go through the environment, never through a command line that anybody can list.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, make_url

from hub.errors import Misconfigured, Unavailable

_MAJOR: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_COPY: Final = re.compile(r'COPY (?:public\.)?"?(\w+)"? \((.*)\) FROM stdin;')
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PIPE: Final = asyncio.subprocess.PIPE
_LINE_MAX: Final = 64 * 1024 * 1024  # of a row as text


async def dump(url: str, target: Path, snapshot: str, server: int) -> None:
    """Write the database, as this snapshot sees it, into a new file (custom format).

    Raises Misconfigured(pg_tools_missing | pg_tools_old), Unavailable(pg_tools_failed).
    """
    await require("pg_dump", server)
    await _run(
        "pg_dump",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        f"--file={target}",
        env=_environment(make_url(url)),
    )


async def load(url: str, source: Path, server: int) -> None:
    """Fill an empty database from a dump: whole, or not at all."""
    await require("pg_restore", server)
    parsed = make_url(url)
    await _run(
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={parsed.database}",
        str(source),
        env=_environment(parsed),
    )


async def read_tables(source: Path, names: Sequence[str]) -> dict[str, list[dict[str, str | None]]]:
    """The rows of these tables in a dump, which is read to its end; values are text."""
    program = await require("pg_restore", 0)
    process = await asyncio.create_subprocess_exec(
        program, "--file=-", str(source), stdout=_PIPE, stderr=_PIPE, limit=_LINE_MAX
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    found: dict[str, list[dict[str, str | None]]] = {name: [] for name in names}
    into: list[dict[str, str | None]] | None = None
    columns: list[str] = []
    within = False  # the rows of some table
    async for raw in process.stdout:
        line = raw.decode().removesuffix("\n")
        if within:
            if line == r"\.":
                within = False
            elif into is not None:
                values = [_value(one) for one in line.split("\t")]
                into.append(dict(zip(columns, values, strict=True)))
        elif begun := _COPY.fullmatch(line):
            within, into = True, found.get(begun[1])
            columns = [one.strip(' "') for one in begun[2].split(",")]
    said = (await complaints).decode(errors="replace")
    if await process.wait():
        raise _failed("pg_restore", said)
    return found


async def require(program: str, server: int) -> str:
    """Where this program is. Raises Misconfigured where it is missing or older than the server."""
    path = shutil.which(program)
    if path is None:
        raise Misconfigured(
            "pg_tools_missing",
            "{program} is not installed; the database cannot be copied without it.",
            hint="Install the client programs of PostgreSQL (package postgresql-client).",
            program=program,
        )
    major = _MAJOR.search(await _run(program, "--version"))
    have = int(major[1]) if major else 0
    if have < server:
        raise Misconfigured(
            "pg_tools_old",
            "{program} is of version {have}, the server of version {server}: it is too old.",
            hint="Install package postgresql-client-{server}, or a newer one.",
            program=program,
            have=have,
            server=server,
        )
    return path


async def _run(program: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdout=_PIPE,
        stderr=_PIPE,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
    )
    try:
        said, complaint = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise _failed(program, complaint.decode(errors="replace"))
    return said.decode(errors="replace")


def _failed(program: str, complaint: str) -> Unavailable:
    lines = [line for line in complaint.strip().splitlines() if "error" in line] or [complaint]
    return Unavailable(
        "pg_tools_failed",
        "{program} failed: {why}",
        hint="Check the server, the rights of its user and the free space.",
        because=complaint[-2000:],
        program=program,
        why=lines[0].strip()[:300],
    )


def _environment(url: URL) -> dict[str, str]:
    """What libpq calls the parts of the address."""
    query: Mapping[str, Any] = url.query
    said = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": url.port or query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("ssl") or query.get("sslmode"),
        "PGCONNECT_TIMEOUT": 15,
    }
    return {name: str(value) for name, value in said.items() if value is not None}


def _value(text: str) -> str | None:
    r"""A value as COPY writes it: `\N` is null, a backslash escapes."""
    if text == r"\N":
        return None
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)
