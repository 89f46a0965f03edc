"""The composition root: settings → keys → storage → doors → workers.

It knows everything and decides nothing: which parts a node is made of, in which order they
begin and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.actions import invitations, leases, nodes, runs, suspicions
from hub.actions import keys as own_keys
from hub.actions.context import Actor, Hub, Wakes
from hub.clock import Clock, Entropy, SystemClock, SystemEntropy
from hub.errors import Misconfigured, Unavailable
from hub.faults import fault
from hub.ids import LinkId
from hub.logs import get_logger
from hub.metrics import Metrics
from hub.settings import Settings
from hub.storage import migrate, occupancy
from hub.storage.blobs import BlobStore
from hub.storage.database import open_database
from hub.storage.keyring import KeyRing
from hub.storage.keystore import KeyStore, NodeKeys, read_passphrase
from hub.storage.presence import open_presence

# Doors and workers are imported where a node begins to serve: a command that only looks
# something up must not wait a second for the web stack.
if TYPE_CHECKING:
    from aiohttp import web

    from connectors.contract import Connector, Host
    from hub.actions.custodian import Voices
    from hub.api.door import ApiContext
    from hub.api.door import ConfirmLink as Confirm
    from hub.bridge.bench import Bench, Template
    from hub.bridge.host import DeskHost
    from hub.console.door import ConsoleContext
    from hub.domain.agreement import Offer
    from hub.federation.client import GuardedTransport, PeerTransport
    from hub.workers.loop import Crank

_log = get_logger("hub")
_OF_TIMEOUT: Final = 0.8  # an answer may wait for so much of what a silent line is given


async def open_hub(
    settings: Settings,
    env: Mapping[str, str],
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    inline: bool = False,
) -> Hub:
    """A node as actions see it, on its keys and its database.

    Raises Misconfigured where anything of it is missing, damaged, or of another version.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    store = KeyStore(settings.keys_dir)
    passphrase = read_passphrase(settings, env)
    keys = store.open(passphrase)
    await migrate.check(settings.database.url, settings.data)
    wakes = Wakes()
    metrics = Metrics()
    db = open_database(
        settings.database.url,
        settings.data,
        wakes.wake,
        inline=inline,
        on_conflict=metrics.database_conflicts.inc,
    )
    try:
        identity = await nodes.load(db, keys)
        nodes.check_reach(identity.account, outbound_only=settings.outbound_only)
        ring = KeyRing(store, passphrase, keys, identity.first_key_set)
    except BaseException:
        await db.close()
        raise
    hub = Hub(
        account=identity.account,
        ring=ring,
        db=db,
        blobs=BlobStore(settings.files_dir),
        clock=clock,
        entropy=entropy,
        limits=settings.limits,
        metrics=metrics,
        process=f"{os.getpid()}-{entropy.bytes(6).hex()}",
        try_out=settings.try_out,
        wakes=wakes,
    )
    if identity.newest_version < ring.opened.version:
        try:
            await own_keys.finish(hub)
        except BaseException:
            await db.close()
            raise
    return hub


@contextlib.asynccontextmanager
async def opened(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[Hub]:
    """`open_hub` for one command, closed at its end."""
    with occupancy.shared(settings.data):
        hub = await open_hub(settings, env)
        try:
            yield hub
        finally:
            await hub.db.close()


def web_app(hub: Hub, settings: Settings, transport: PeerTransport) -> web.Application:
    """Every door that speaks HTTP, in one application."""
    from aiohttp import web

    from hub import listening
    from hub.api import server as api
    from hub.bridge import hooks
    from hub.console import health, invitation
    from hub.console import server as console
    from hub.federation import server as federation
    from hub.federation.door import Door

    app = web.Application(client_max_size=settings.limits.request_body_bytes)
    if not hub.account.outbound_only:
        federation.add_routes(app, Door(hub), settings.network.trusted_proxies)
    api.add_routes(app, _api_context(hub, settings, transport))
    invitation.add_routes(app, hub.account.name)
    health.add_routes(app, hub, settings.metrics.token_file)
    hooks.add_routes(app, desk_host(hub, transport))
    console.add_routes(app, _console_context(hub, settings, transport))
    listening.guard(app)
    return app


def desk_templates() -> tuple[Template, ...]:
    """Every description a new desk can begin with."""
    from connectors.registry import TEMPLATES, template
    from connectors.rest.loading import load
    from hub.bridge.bench import Template

    found = []
    for name in TEMPLATES:
        text = template(name)
        said = load(text, f"{name}.yaml")
        tried = tuple((one.against, one.how) for one in said.tried)
        found.append(Template(name, said.title, text, tried))
    return tuple(found)


def desk_bench(hub: Hub, settings: Settings, transport: PeerTransport) -> Bench:
    """Where desks are worked on before they work."""
    from connectors.rest.loading import load
    from hub.bridge.bench import Bench, Question, Questions

    def questions(text: str, file: str) -> Questions:
        with _understood():
            said = load(text, file)
        return Questions(
            *(
                tuple(Question(name, one.label, one.kind, one.hint) for name, one in asked.items())
                for asked in (said.settings, said.secrets)
            )
        )

    host = desk_host(hub, transport)
    return Bench(hub, settings.data, host, desk_templates, questions, desk_schema)


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """A description that cannot be used is the operator's matter: file, line and column."""
    from connectors.rest.source import BadDescription

    try:
        yield
    except BadDescription as error:
        raise Misconfigured(
            "desk_invalid",
            "{path}: {place}: {why}",
            hint="hub connector check",
            because=str(error),
            path=error.mistakes[0].file,
            place=f"{error.mistakes[0].line}:{error.mistakes[0].column}",
            why=error.mistakes[0].told,
        ) from error


def desk_schema() -> str:
    """The JSON Schema of a description."""
    from importlib import resources

    return (resources.files("connectors") / "desks" / "schema.json").read_text("utf-8")


def desk_host(hub: Hub, transport: PeerTransport) -> DeskHost:
    """Whoever speaks with foreign desks, with every kind of connector there is."""
    from connectors.registry import described
    from hub.bridge.host import DeskHost

    def build(text: str, file: str, host: Host) -> tuple[str, tuple[str, ...], Connector]:
        with _understood():
            description, connector = described(text, file, host)
        return description.desk, tuple(description.secrets), connector

    return DeskHost(hub, transport, build)


def web_runner(hub: Hub, settings: Settings, transport: PeerTransport) -> web.AppRunner:
    """What serves them, within bounds that no handler can set."""
    from hub import bodies, listening

    return listening.Runner(
        web_app(hub, settings, transport),
        access_log=None,
        shutdown_timeout=5.0,
        read_bufsize=bodies.BUFFER,
        lingering_time=0.0,  # what nobody wants to read is not read to its end either
    )


def _api_context(hub: Hub, settings: Settings, transport: PeerTransport) -> ApiContext:
    """What the door for programs needs of the door to peers: doors do not know each other."""
    from hub.api.door import ApiContext
    from hub.federation import linking

    confirm = _signing(hub, transport)

    async def accept(actor: Actor, code: str, offer: Offer | None, at_once: bool) -> LinkId:
        prepared = await linking.accept(hub, transport, actor, code, offer)
        if at_once:
            await confirm(actor, prepared.link.id)
        return prepared.link.id

    bench = desk_bench(hub, settings, transport)
    return ApiContext(hub, accept_invitation=accept, confirm_link=confirm, desks=bench)


def _console_context(hub: Hub, settings: Settings, transport: PeerTransport) -> ConsoleContext:
    """The same for the door for people, and its templates."""
    from hub.console.door import ConsoleContext
    from hub.console.server import renderer
    from hub.federation import linking

    async def accept(actor: Actor, code: str, progress: Callable[[str], None]) -> LinkId:
        prepared = await linking.accept(hub, transport, actor, code, None, progress)
        return prepared.link.id

    bench = desk_bench(hub, settings, transport)
    return ConsoleContext(hub, settings, accept, _signing(hub, transport), bench, renderer())


def _signing(hub: Hub, transport: PeerTransport) -> Confirm:
    """Signing a link's agreement, and exchanging signatures with the partner's node."""
    from hub.federation import linking

    async def confirm(actor: Actor, link_id: LinkId) -> None:
        await invitations.confirm(hub, actor, link_id)
        # Signed is signed: where the partner is away now, the handshakes' crank goes on.
        with contextlib.suppress(Unavailable):
            await linking.exchange_signatures(hub, transport, link_id)

    return confirm


@dataclass(slots=True)
class Running:
    """A node at work."""

    hub: Hub
    transport: PeerTransport
    address: tuple[str, int] | None
    letters_at: tuple[str, int] | None = None  # where the door for letters listens


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    env: Mapping[str, str],
    *,
    doors: bool = True,
    workers: bool = True,
) -> AsyncIterator[Running]:
    """A node whose doors are open and whose workers turn; ended gracefully on exit.

    Doors close first, then workers finish what they hold, then the database is let go.
    """
    with occupancy.shared(settings.data):
        async with (
            _running(settings, env, doors=doors, workers=workers) as node,
            _letters(node.hub, settings, env, doors=doors, workers=workers) as address,
        ):
            node.letters_at = address
            yield node


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, env: Mapping[str, str], *, doors: bool, workers: bool
) -> AsyncIterator[Running]:
    from hub.federation.client import GuardedTransport
    from hub.workers.loop import Lasting, Mill

    hub = await open_hub(settings, env)
    transport = GuardedTransport.from_settings(settings)
    stop = asyncio.Event()
    runner: web.AppRunner | None = None
    mill: asyncio.Task[None] | None = None
    tasks: list[asyncio.Task[None]] = []
    cranks = _cranks(hub, transport, settings) if workers else _cranks_of_doors(hub, transport)
    joined = asyncio.Event()
    presence = open_presence(settings.database.url, settings.data)
    try:
        tasks.append(asyncio.create_task(presence.keep(lambda: runs.begin(hub), joined)))
        await _either(joined.wait(), tasks[0])
        address = None
        if doors:
            runner = web_runner(hub, settings, transport)
            await runner.setup()
            address = await _listen(runner, settings)
        mill = asyncio.create_task(Mill(hub, cranks).run(stop))
        tasks.append(asyncio.create_task(_hear(hub)))
        yield Running(hub, transport, address)
    finally:
        if runner is not None:
            await runner.cleanup()
        stop.set()
        if mill is not None:
            await mill
            for crank in cranks:
                if isinstance(crank, Lasting):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(crank.idle(), 10)
            await leases.release_all(hub)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(Unavailable):  # a database that is away already
            await suspicions.write_down(hub)
        await transport.close()
        await hub.db.close()


def voices() -> Voices:
    """How partners without a node hear what we say, by the kind of their link."""
    from hub.actions.mail_voice import MailVoice
    from hub.storage.links import LinkKind

    return {LinkKind.MAIL: MailVoice()}


def _cranks_of_doors(hub: Hub, transport: PeerTransport) -> tuple[Crank, ...]:
    """Doors alone, too, must go on with the keys that another process made."""
    from hub.workers.cranks import Keys

    return (Keys(hub, transport),)


def _cranks(hub: Hub, transport: GuardedTransport, settings: Settings) -> tuple[Crank, ...]:
    """Every kind of work, in the order in which it is ended."""
    from hub.federation.polls import MAX_WAIT_S
    from hub.workers.cranks import (
        Collections,
        Deliveries,
        Files,
        Handshakes,
        HeldOffers,
        Inbox,
        Syncs,
        Timers,
    )
    from hub.workers.custody import Custody
    from hub.workers.desks import Desks
    from hub.workers.webhooks import Webhooks

    wait_s = min(MAX_WAIT_S, settings.network.total_timeout_s * _OF_TIMEOUT)
    collections = (Collections(hub, transport, wait_s=wait_s),)
    return (
        *(collections if hub.account.outbound_only else ()),
        Syncs(hub, transport),
        Deliveries(hub, transport),
        Inbox(hub),
        Files(hub, transport),
        Custody(hub, voices()),
        Webhooks(hub, transport),
        Desks(hub, desk_host(hub, transport)),
        Handshakes(hub, transport),
        HeldOffers(hub),
        Timers(hub),
        *_cranks_of_doors(hub, transport),
    )


@contextlib.asynccontextmanager
async def _letters(
    hub: Hub, settings: Settings, env: Mapping[str, str], *, doors: bool, workers: bool
) -> AsyncIterator[tuple[str, int] | None]:
    """The mailboxes of the node, as long as this lasts; where its door for letters listens."""
    from hub.mail import mailboxes, profiles
    from hub.mail.house import MailHouse
    from hub.workers.loop import Mill
    from hub.workers.mail_cranks import Letters, Posts

    boxes = mailboxes.load(settings.data)
    if not boxes:
        yield None
        return
    house = MailHouse(hub, boxes, env, profiles.load(settings.data))
    stop = asyncio.Event()
    mill: asyncio.Task[None] | None = None
    try:
        if doors:
            await house.open_door(settings.mail.listen_on, lmtp=settings.mail.protocol == "lmtp")
        if workers:
            await house.fetch()
            cranks = (Letters(hub, house.room), Posts(hub, house.office))
            mill = asyncio.create_task(Mill(hub, cranks).run(stop))
        yield house.address
    finally:
        stop.set()
        if mill is not None:
            await mill
        await house.close()


async def _either(wanted: Coroutine[None, None, object], beside: asyncio.Task[None]) -> None:
    """Return when the first is done; raise what ends the other before that."""
    waiting = asyncio.create_task(wanted)
    try:
        await asyncio.wait({waiting, beside}, return_when=asyncio.FIRST_COMPLETED)
        if beside.done():
            beside.result()
    finally:
        waiting.cancel()


async def _hear(hub: Hub) -> None:
    """Pass on what other processes on this database wake."""
    async for topics in hub.db.changes():
        hub.wakes.wake(topics)


async def _listen(runner: web.AppRunner, settings: Settings) -> tuple[str, int]:
    from aiohttp import web

    host, port = settings.listen_on
    site = web.TCPSite(runner, host, port, reuse_address=True)
    try:
        await site.start()
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            raise
        raise Misconfigured(
            "cannot_listen",
            "Cannot listen on {host}:{port}: {why}.",
            hint="Choose another address: hub serve --listen {host}:PORT",
            because=str(error),
            host=host,
            port=port,
            why=(error.strerror or str(error)).lower(),
        ) from error
    server = site._server
    assert server is not None
    bound = server.sockets[0].getsockname()  # type: ignore[attr-defined]
    return str(bound[0]), int(bound[1])


async def found_node(
    settings: Settings,
    env: Mapping[str, str],
    *,
    admin_email: str,
    admin_name: str,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> bool:
    """Make keys, database and account of a new node; False where it is there already.

    Steps that were done before a break are kept and not repeated.
    """
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    store = KeyStore(settings.keys_dir)
    passphrase = read_passphrase(settings, env)
    fresh = not store.exists()
    keys = store.create(entropy, passphrase, clock.now()) if fresh else store.open(passphrase)
    _own_only(settings.data)
    fault("founding.keys_made")
    await migrate.upgrade(settings.database.url, settings.data)
    fault("founding.database_made")
    db = open_database(settings.database.url, settings.data, lambda _topics: None)
    try:
        await nodes.found(
            db,
            keys,
            name=settings.name,
            base_url=settings.base_for_partners,
            language=settings.lang,
            clock=clock,
            entropy=entropy,
            admin_email=admin_email,
            admin_name=admin_name,
        )
        await nodes.load(db, keys)
    finally:
        await db.close()
    return fresh


async def first_admin(hub: Hub) -> Actor:
    """The first agent of the node: who acts where a command names nobody."""
    return await nodes.first_admin(hub.db)


NEEDED_REVISION: Final = migrate.HEAD
"""The shape of the database this version works with."""


async def database_revision(settings: Settings) -> str | None:
    """The shape the node's database has; None while it has none."""
    return await migrate.current(settings.database.url, settings.data)


async def upgrade_database(settings: Settings) -> None:
    """Bring the node's database to this version. Raises Misconfigured(database_too_new)."""
    with occupancy.shared(settings.data):
        await migrate.upgrade(settings.database.url, settings.data)


def open_keys(settings: Settings, env: Mapping[str, str]) -> NodeKeys:
    """The node's keys. Raises Misconfigured where they cannot be opened or others may read them."""
    return KeyStore(settings.keys_dir).open(read_passphrase(settings, env))


def _own_only(data: Path) -> None:
    with contextlib.suppress(OSError):
        data.chmod(0o700)
