"""`hub init`, `serve`, `work`, `status`: a node's beginning and its running."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import click

from hub import app
from hub.actions import access
from hub.actions.access import Purpose
from hub.actions.context import Hub
from hub.cli import output, session
from hub.cli.grammar import Manner, option, verb
from hub.cli.output import Facts, Table, Word
from hub.cli.problems import BadWords
from hub.errors import Conflict, Misconfigured
from hub.i18n import N_, language
from hub.i18n import gettext as _
from hub.logs import set_up
from hub.queries import deliveries, links, progress
from hub.settings import CONFIG_NAME, Settings, default_data_dir, write_config

LOCK_NAME: Final = "serve.lock"
_NOT_OURS: Final = frozenset({"lost+found"})  # what an empty file system may hold


@verb(
    N_("Make a node in a directory: keys, configuration, database, first admin. Twice is once."),
    'hub init --data /var/lib/hub --name "Service Plus" --url https://hub.plus.example',
    'hub init --data ./try --name "Try-out" --url http://127.0.0.1:8101',
    'hub init --data /var/lib/hub --name "Master South" --outbound-only',
)
@option("--name", help=N_("The company's name, as partners will see it."))
@option("--url", help=N_("The public base address; partners pin it. Loopback: try-out only."))
@option(
    "--outbound-only",
    is_flag=True,
    help=N_("Partners cannot call this node: it has no public address and calls them itself."),
)
@option("--listen", metavar="HOST:PORT", help=N_("Where to listen (else as --url says)."))
@option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help=N_("File with the passphrase of the keys (else HUB_PASSPHRASE)."),
)
@option("--admin-email", default="admin@localhost", help=N_("E-mail of the first admin."))
@option("--admin-name", help=N_("Display name of the first admin; partners see it."))
def init(
    manner: Manner,
    name: str | None,
    url: str | None,
    outbound_only: bool,
    listen: str | None,
    passphrase_file: Path | None,
    admin_email: str,
    admin_name: str | None,
) -> None:
    """Make a node."""
    data = _data_dir(manner)
    _refuse_foreign(data, passphrase_file)
    if (data / CONFIG_NAME).exists():
        settings = session.settings_of(manner)
        for said, there in ((name, settings.name), (url, settings.url)):
            if said is not None and said.rstrip("/") != there:
                text = _("This node is made already; '{said}' changes nothing (it is '{there}').")
                output.warn(manner, text.format(said=said, there=there))
    else:
        settings = _configure(
            manner, data, name, url, listen, passphrase_file, outbound_only=outbound_only
        )
    created = asyncio.run(
        app.found_node(
            settings,
            os.environ,
            admin_email=admin_email,
            admin_name=admin_name or _("Administrator"),
        )
    )
    opened = session.run(manner, _whose)
    document = {
        "node_id": opened.account.node_id,
        "name": opened.account.name,
        "url": opened.account.base_url,
        "data": str(settings.data),
        "created": created,
    }
    if opened.keys.unprotected:
        _warn_unprotected(manner, settings)
    if settings.try_out:
        _warn_try_out(manner)
    output.show(
        manner,
        document,
        Facts(
            [
                (N_("Node"), opened.account.node_id),
                (N_("Name"), opened.account.name),
                (N_("Address"), opened.account.base_url or _("none: outbound only")),
                (N_("Data"), str(settings.data)),
            ]
        ),
    )
    text = _("The node is ready.") if created else _("The node was there already.")
    output.done(manner, text, "hub serve")
    if created:
        output.say(manner, _("Then, in a browser:  hub console"))


async def _whose(here: session.Session) -> Hub:
    return here.hub


def _data_dir(manner: Manner) -> Path:
    given = manner.data or (Path(os.environ["HUB_DATA"]) if os.environ.get("HUB_DATA") else None)
    return (given or default_data_dir()).expanduser().absolute()


def _refuse_foreign(data: Path, passphrase_file: Path | None) -> None:
    """Return if the directory is a node, is empty, or can be made. Raises Misconfigured."""
    ours = {passphrase_file.absolute().name} if passphrase_file is not None else set()
    try:
        found = {one.name for one in data.iterdir()} if data.exists() else set()
    except OSError as error:
        raise Misconfigured(
            "data_unusable",
            "{path} is not a directory that can be used.",
            hint="Choose another one: hub init --data DIR",
            because=str(error),
            path=str(data),
        ) from error
    if CONFIG_NAME in found or "keys" in found:
        return
    strange = sorted(found - _NOT_OURS - ours)
    if strange:
        raise Misconfigured(
            "data_foreign",
            "{path} is not empty and not a node's directory (it holds {what}).",
            hint="Choose an empty or a new directory: hub init --data DIR",
            path=str(data),
            what=", ".join(strange[:3]),
        )


def _configure(
    manner: Manner,
    data: Path,
    name: str | None,
    url: str | None,
    listen: str | None,
    passphrase_file: Path | None,
    *,
    outbound_only: bool,
) -> Settings:
    """Make the directory and write its configuration."""
    if name is None and session.may_ask(manner):
        name = click.prompt(_("The company's name"), err=True)
    if not name or not name.strip():
        raise BadWords(
            "name_missing",
            "A new node needs the company's name.",
            hint='hub init --name "Service Plus" --url http://127.0.0.1:8101',
        )
    secret = None if passphrase_file is None else str(passphrase_file.expanduser().absolute())
    values = {
        "name": name.strip(),
        "lang": manner.lang or language(),
        "url": url,
        "listen": listen or (_loopback_listen(url) if url else None),
        "passphrase_file": secret,
        "outbound_only": outbound_only or None,
    }
    _write(data, {key: value for key, value in values.items() if value is not None})
    return session.settings_of(manner)


def _write(data: Path, values: dict[str, Any]) -> None:
    """Make the directory with its configuration, or leave nothing behind."""
    made = not data.exists()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "no right to write there")
        write_config(data / CONFIG_NAME, values)
    except (OSError, Misconfigured) as error:
        if made:
            with contextlib.suppress(OSError):
                data.rmdir()
        if isinstance(error, Misconfigured) and not isinstance(error.__cause__, OSError):
            raise
        raise Misconfigured(
            "data_unwritable",
            "Nothing can be written to {path}.",
            hint="Choose another directory (hub init --data DIR), or see to its owner and rights.",
            because=str(error),
            path=str(data),
        ) from error


def _loopback_listen(url: str) -> str | None:
    """In try-out mode the public address is where we listen; elsewhere a proxy stands before."""
    from yarl import URL

    try:
        parsed = URL(url)
    except ValueError:
        return None  # settings say what is wrong with it
    if parsed.scheme != "http" or not parsed.raw_host:
        return None
    host = f"[{parsed.raw_host}]" if ":" in parsed.raw_host else parsed.raw_host
    return f"{host}:{parsed.port}"


def _warn_unprotected(manner: Manner, settings: Settings) -> None:
    text = _(
        "The keys in {path} are NOT protected by a passphrase: whoever reads the disk or a backup "
        "can speak as this company."
    )
    output.warn(manner, text.format(path=settings.keys_dir))
    output.warn(manner, _("Give one with --passphrase-file or HUB_PASSPHRASE when making a node."))


def _warn_try_out(manner: Manner) -> None:
    output.warn(
        manner,
        _("TRY-OUT MODE: the address is on loopback. No TLS, and no nodes on other machines."),
    )


@verb(
    N_("Run the node until it is told to stop (Ctrl+C): all doors and workers in one process."),
    "hub serve --data /var/lib/hub",
    "hub serve --data ./try --listen 127.0.0.1:8101",
)
@option("--listen", metavar="HOST:PORT", help=N_("Where to listen (else as configured)."))
@option("--no-workers", is_flag=True, help=N_("Doors only; workers run as `hub work`."))
def serve(manner: Manner, listen: str | None, no_workers: bool) -> None:
    """Run the node."""
    settings = session.settings_of(manner, **({"listen": listen} if listen else {}))
    _refuse_missing(settings)
    set_up(settings.log.format, "debug" if manner.verbose else settings.log.level)
    if settings.try_out:
        _warn_try_out(manner)
    with alone(settings.data):
        asyncio.run(_serve(manner, settings, doors=True, workers=not no_workers))


@verb(
    N_("Run workers only: they deliver, apply and fetch for the node of this directory."),
    "hub work --data /var/lib/hub",
)
def work(manner: Manner) -> None:
    """Run workers beside a serving process."""
    settings = session.settings_of(manner)
    _refuse_missing(settings)
    set_up(settings.log.format, "debug" if manner.verbose else settings.log.level)
    asyncio.run(_serve(manner, settings, doors=False, workers=True))


async def _serve(manner: Manner, settings: Settings, *, doors: bool, workers: bool) -> None:
    async with (
        _until_told() as told,
        app.running(settings, os.environ, doors=doors, workers=workers) as node,
    ):
        if node.hub.keys.unprotected:
            _warn_unprotected(manner, settings)
        address = _shown(node.address)
        output.show(
            manner,
            {
                "listening": address,
                "url": settings.url,
                "try_out": settings.try_out,
                "node_id": node.hub.account.node_id,
            },
        )
        text = (
            _("{name} is listening on {address}. Stop with Ctrl+C.")
            if doors
            else _("{name}: workers run. Stop with Ctrl+C.")
        )
        output.done(manner, text.format(name=node.hub.account.name, address=address))
        if doors and await access.nobody_can_sign_in(node.hub):
            await _tell_how_to_begin(manner, settings, node.hub)
        await told.wait()
        output.done(manner, _("Stopping: what was begun is finished first."))


async def _tell_how_to_begin(manner: Manner, settings: Settings, hub: Hub) -> None:
    """Nobody has a password yet: whoever reads this chooses the first one."""
    admin = await app.first_admin(hub)
    made = await access.make(hub, admin, admin.ref, Purpose.SET_UP)
    text = _("Nobody can sign in yet. Choose the first password (opens once): {link}")
    output.warn(manner, text.format(link=settings.url + made.path))


def _shown(address: tuple[str, int] | None) -> str | None:
    if address is None:
        return None
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def _until_told() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal ends at once."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(number: int) -> None:
        if told.is_set():
            os._exit(128 + number)
        told.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, tell, one)
    try:
        yield told
    finally:
        for one in signals:
            loop.remove_signal_handler(one)


def _refuse_missing(settings: Settings) -> None:
    if not (settings.data / CONFIG_NAME).exists() and not settings.keys_dir.exists():
        raise Misconfigured(
            "no_node_here",
            "There is no node in {path}.",
            hint='hub init --name "Service Plus" --url http://127.0.0.1:8101',
            path=str(settings.data),
        )


@contextlib.contextmanager
def alone(data: Path) -> Iterator[None]:
    """Be the one serving process of this directory. Raises Conflict while another is."""
    handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                "already_serving",
                "The node in {path} is being served already (process {pid}).",
                hint="More workers beside it: hub work",
                because=str(error),
                path=str(data),
                pid=os.read(handle, 20).decode("ascii", "replace").strip() or "?",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)  # and with it the lock


def is_served(data: Path) -> bool:
    """Whether a process serves this directory now."""
    try:
        handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)


@verb(N_("The node in a few lines: links, what waits, what people must see."), "hub status")
def status(manner: Manner) -> None:
    """Show how the node is."""

    async def body(here: session.Session) -> None:
        hub = here.hub
        now = hub.now()
        everyone = await here.read(lambda connection: links.everyone(connection, now))
        alerts = await here.read(deliveries.alerts)
        waiting = await here.read(progress.waiting)
        states: dict[str, int] = {}
        for link in everyone:
            states[link.state] = states.get(link.state, 0) + 1
        served = is_served(here.settings.data)
        said = [
            {
                "kind": one.kind,
                "subject": one.subject,
                "at": one.at,
                "text": alert_text(one.text, one.facts),
            }
            for one in alerts
        ]
        output.show(
            manner,
            {
                "node_id": hub.account.node_id,
                "name": hub.account.name,
                "url": hub.account.base_url,
                "data": str(here.settings.data),
                "serving": served,
                "links": states,
                "waiting": waiting,
                "alerts": said,
            },
            Facts(
                [
                    (N_("Name"), hub.account.name),
                    (N_("Node"), hub.account.node_id),
                    (N_("Address"), hub.account.base_url or _("none: outbound only")),
                    (N_("Data"), str(here.settings.data)),
                    (N_("Serving"), Word("yes" if served else "no")),
                    (N_("Links"), ", ".join(f"{state} {n}" for state, n in states.items()) or "0"),
                    (N_("Without a receipt"), waiting.unreceipted),
                    (N_("Not applied yet"), waiting.not_applied),
                    (N_("Files on their way"), waiting.files),
                ]
            ),
            Table(
                (N_("When"), N_("What")),
                [(one.at, alert_text(one.text, one.facts)) for one in alerts],
            ),
        )

    session.run(manner, body)


def alert_text(text: str, facts: dict[str, object]) -> str:
    """An alert in the reader's language."""
    try:
        return _(text).format(**facts)
    except (KeyError, IndexError, ValueError):
        return text  # of another version of this program
