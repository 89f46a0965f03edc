"""What the operator decides: defaults, then `<data>/config.yaml`, then `HUB_…` variables.

A value that cannot work is refused at the start, in one line that names the place (file, line
and column, or the variable) and, for a misspelt name, the nearest right one. Once loaded,
settings never change; values are never printed in an error, since some are secret.
"""

from __future__ import annotations

import difflib
import io
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, cast

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from yarl import URL

from hub.errors import Conflict, Misconfigured

CONFIG_NAME: Final = "config.yaml"
SYSTEM_DATA_DIR: Final = Path("/var/lib/hub")  # where our service unit and image keep a node
_PREFIX: Final = "HUB_"
_NESTING: Final = "__"
_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_PORT_MAX: Final = 65_535
_YES: Final = frozenset({"true", "yes", "on", "y", "t", "1"})
"""What is read as true, as the library reads it."""


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_and_port(text: str) -> tuple[str, int]:
    """`desk.example:8443` or `[::1]:8080` in two parts; ValueError when it is neither."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        msg = 'must be "host:port", for instance "127.0.0.1:8101" or "[::1]:8101"'
        raise ValueError(msg)
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        msg = 'an IPv6 address is written in brackets: "[::1]:8101"'
        raise ValueError(msg)
    if int(port) > _PORT_MAX:
        msg = f"the port must be at most {_PORT_MAX}"
        raise ValueError(msg)
    return host.lower(), int(port)


def _listen_address(text: str) -> str:
    _host_and_port(text)
    return text.strip()


def _language_only(value: object) -> object:
    """`ru` of `ru_RU.UTF-8`, as shells have it in LANG."""
    return re.split(r"[_.@-]", value, maxsplit=1)[0] if isinstance(value, str) else value


def _split_commas(value: object) -> object:
    """A list in one variable: `HUB_NETWORK__ALLOW=desk.lan:8080,desk2.lan:8080`."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _each_host_and_port(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        _host_and_port(entry)
    return entries


def _each_network(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(entry)) for entry in entries)


def _public_base(text: str) -> str:
    """One spelling of a base URL: lower-case host, no default port, no slash at the end."""
    if not text:
        return text  # of a node that nobody can call; any other has one by now
    url = URL(text)
    if url.scheme not in {"https", "http"} or not url.raw_host:
        msg = 'must be a web address, for instance "https://hub.company.example"'
        raise ValueError(msg)
    if url.user is not None or url.password is not None:
        msg = "must not carry a user name or password"
        raise ValueError(msg)
    if url.raw_query_string or url.raw_fragment:
        msg = "must end with the path: no ?query and no #fragment"
        raise ValueError(msg)
    if url.scheme == "http" and not _is_loopback_host(url.raw_host):
        msg = (
            "must start with https:// (plain http:// is only for trying out on this machine, "
            "with 127.0.0.1, [::1] or localhost)"
        )
        raise ValueError(msg)
    if url.raw_host.endswith("."):
        msg = "must name the host without a dot at its end"
        raise ValueError(msg)
    return str(url).rstrip("/")


def _database_url(text: str) -> str:
    if text and not text.startswith("postgresql+asyncpg://"):
        msg = "must start with postgresql+asyncpg:// or be empty (SQLite in the data directory)"
        raise ValueError(msg)
    return text


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Database(_Section):
    """Where rows live."""

    url: Annotated[str, AfterValidator(_database_url)] = Field(
        default="",
        repr=False,
        description="empty: SQLite in the data directory; or postgresql+asyncpg://…",
    )


class Log(_Section):
    """What is written to standard error."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, JSON otherwise"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least important line to write"
    )


class Network(_Section):
    """How we reach others."""

    allow: Annotated[
        tuple[str, ...], BeforeValidator(_split_commas), AfterValidator(_each_host_and_port)
    ] = Field(
        default=(),
        description='"host:port" that may be reached though private (a desk in the intranet)',
    )
    trusted_proxies: Annotated[
        tuple[str, ...], BeforeValidator(_split_commas), AfterValidator(_each_network)
    ] = Field(
        default=(),
        description="networks of our own proxies, whose X-Forwarded-For is believed",
    )
    connect_timeout_s: float = Field(
        default=15.0, gt=0, le=120, description="a silent host is given up after this"
    )
    total_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="one whole exchange, however slowly it drips"
    )


class Metrics(_Section):
    """Who may read /metrics."""

    token_file: Path | None = Field(
        default=None, description="file with the token for readers that are not on loopback"
    )


def _maybe_listen(text: str) -> str:
    return _listen_address(text) if text else text


class Mail(_Section):
    """The node's own door for letters; its mailboxes have files of their own."""

    listen: Annotated[str, AfterValidator(_maybe_listen)] = Field(
        default="", description='"host:port" where letters are taken in; empty: nowhere'
    )
    protocol: Literal["lmtp", "smtp"] = Field(
        default="lmtp", description="lmtp behind a mail server, or smtp"
    )

    @property
    def listen_on(self) -> tuple[str, int] | None:
        """Host and port; None where no letters are taken in."""
        return _host_and_port(self.listen) if self.listen else None


def _at_most(protocol_limit: int, why: str) -> Any:
    """A limit that the protocol fixes: an operator may only lower it."""
    return Field(default=protocol_limit, gt=0, le=protocol_limit, description=why)


def _limit(default: int, why: str) -> Any:
    return Field(default=default, gt=0, description=why)


class Limits(_Section):
    """Every limit an operator may set, with its unit in its name. Each of them is in force.

    What the protocol fixes for everybody is in `hub/protocol/message.py` and
    `hub/domain/lengths.py`; docs/reference/limits.md lists all of them.
    """

    # Messages
    message_batch: int = _at_most(100, "messages in one delivery (protocol limit)")
    inbox_messages_per_link: int = _limit(10_000, "a peer that outruns our work must wait")

    # Requests
    request_body_bytes: int = _limit(2 * _MIB, "a request that is not a file is read into memory")
    peer_answer_bytes: int = _limit(4 * _MIB, "a peer's answer is read into memory")
    node_document_bytes: int = _limit(64 * _KIB, "read from strangers, before any trust")

    bodies_at_once: int = _limit(32, "bodies of peers' calls that are read or worked on")
    api_bodies_at_once: int = _limit(16, "bodies of programs' requests that are read")
    body_s: float = Field(default=30.0, gt=0, description="a body comes whole in this time")
    calls_per_minute_per_link: int = _limit(6000, "calls of one peer, of whatever kind")
    calls_at_once_per_link: int = _limit(4, "calls of one peer at a time; one batch among them")
    polls_at_once: int = _limit(1000, "partners without an address that wait for news, together")
    api_calls_per_minute: int = _limit(1200, "requests with one API token")

    # Files
    file_bytes: int = _limit(100 * _MIB, "one file")
    files_per_letter: int = _limit(100, "files kept of one letter; all of it stays in its bytes")
    letter_bytes: int = _limit(40 * _MIB, "one letter, as it arrives, with everything in it")
    files_per_message: int = _at_most(20, "files announced by one message (protocol limit)")
    file_pull_s: int = _limit(3600, "one file on a slow line, then the pull starts again")
    link_files_bytes: int = _limit(10 * 1024 * _MIB, "what all files of one link may take up")
    file_pulls_at_once: int = _limit(8, "files being pulled, one from each peer at a time")
    collections_at_once: int = _limit(256, "partners we ask what is for us, with no address")
    file_answers_at_once: int = _limit(32, "files being given to peers")

    # Strangers and links
    stranger_calls_per_minute: int = _limit(60, "unproven calls of one network (/24, /64)")
    unproven_calls_per_minute_per_link: int = _limit(
        120, "calls of one network in the name of one peer that prove to be somebody else's"
    )
    link_requests_per_minute: int = _limit(120, "requests to be linked, of everybody together")
    networks_remembered: int = _limit(10_000, "networks whose calls we count, in memory")
    pending_links_per_domain: int = _limit(10, "links of one domain that wait to be confirmed")
    invitation_hours: int = Field(
        default=72, gt=0, le=720, description="an invitation waits over a weekend, no longer"
    )
    invitation_mac_failures: int = _limit(5, "wrong proofs until an invitation is dead")
    http_key_overlap_days: int = _limit(7, "a replaced http key stays valid for partners")
    closed_link_readable_days: int = _limit(90, "the peer may still read its log after closing")

    # Keeping
    keep_data_days: int = Field(
        default=35,
        ge=35,
        le=36_500,
        description="texts of messages stay so long after the receipt, then envelopes alone",
    )

    keep_letters_days: int = _limit(365, "the bytes of a letter stay so long, then what it said")

    # Delivery
    retry_base_s: float = Field(default=2.0, gt=0, description="longest wait before the 2nd try")
    retry_cap_s: float = Field(default=900.0, gt=0, description="longest wait between two tries")
    poison_tries: int = _limit(5, "a message that breaks our code so often is parked")
    deliveries_at_once: int = _limit(16, "links being delivered to at the same time")

    # What is refused
    suspicions_alert: int = _limit(50, "refusals of a peer in an hour until people are told")


class Settings(BaseSettings):
    """All settings of one node. Made by `load`, or directly in tests with the values given."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTING,
        enable_decoding=False,  # lists are split at commas, see _split_commas: no JSON in variables
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    data: Path = Field(description="the directory with everything this node keeps")
    name: str = Field(
        default="", max_length=200, description="the name of the account, as partners see it"
    )
    listen: Annotated[str, AfterValidator(_listen_address)] = Field(
        default="127.0.0.1:8101", description="where we listen; a proxy with TLS stands before it"
    )
    url: Annotated[str, AfterValidator(_public_base)] = Field(
        default="", description="the public base address; partners pin it"
    )
    outbound_only: bool = Field(
        default=False,
        description="partners cannot call us: we have no public address and call them ourselves",
    )
    lang: Annotated[Literal["en", "ru"], BeforeValidator(_language_only)] = Field(
        default="en", description="language of people who have not chosen one"
    )
    passphrase_file: Path | None = Field(
        default=None, description="file with the passphrase of the keys (else HUB_PASSPHRASE)"
    )
    database: Database = Field(default_factory=Database, description="where rows live")
    log: Log = Field(default_factory=Log, description="what is written to standard error")
    network: Network = Field(default_factory=Network, description="how we reach others")
    mail: Mail = Field(default_factory=Mail, description="the node's own door for letters")
    metrics: Metrics = Field(default_factory=Metrics, description="who may read /metrics")
    limits: Limits = Field(default_factory=Limits, description="every limit of the node")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: `load` does the layering, so nobody reads the process's."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _without_a_url_we_are_where_we_listen(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("url"):
            return values
        if str(values.get("outbound_only", "")).lower() in _YES:
            return values  # it needs none, and is no try-out for that
        listen = values.get("listen") or cls.model_fields["listen"].default
        return {**values, "url": f"http://{listen}"}

    @property
    def base_for_partners(self) -> str:
        """Where partners call us; empty where nobody can."""
        return "" if self.outbound_only else self.url

    @property
    def try_out(self) -> bool:
        """Whether this node only talks within one machine (and may do so without TLS)."""
        return self.url.startswith("http://")  # _public_base lets only loopback have this scheme

    @property
    def database_url(self) -> str:
        """The SQLAlchemy address of the database."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data / 'hub.db'}"

    @property
    def keys_dir(self) -> Path:
        """Where the keys lie."""
        return self.data / "keys"

    @property
    def files_dir(self) -> Path:
        """Where file contents lie, by digest."""
        return self.data / "files"

    @property
    def listen_on(self) -> tuple[str, int]:
        """Host and port to listen on; port 0 takes any free one."""
        return _host_and_port(self.listen)

    @property
    def allowed_private(self) -> frozenset[tuple[str, int]]:
        """Hosts and ports that may be reached though private."""
        return frozenset(_host_and_port(entry) for entry in self.network.allow)


def default_data_dir() -> Path:
    """The service's directory where we may write to it, else a directory of this user."""
    if SYSTEM_DATA_DIR.is_dir() and os.access(SYSTEM_DATA_DIR, os.W_OK):
        return SYSTEM_DATA_DIR
    return platformdirs.user_data_path("hub", appauthor=False)


def load(data: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of the node in `data` (else `HUB_DATA`, else the default directory).

    Raises:
        Misconfigured: a file that cannot be read, a name we do not know, a value that cannot work.
    """
    env = os.environ if env is None else env
    where = data or (Path(env["HUB_DATA"]) if env.get("HUB_DATA") else default_data_dir())
    where = where.expanduser().absolute()
    path = where / CONFIG_NAME
    written = _read_yaml(path)
    if "data" in written:
        raise _misconfigured(
            _place(path, written, ("data",)),
            "data",
            "is given by --data or HUB_DATA, not in the file that lies in it",
        )
    # A section whose lines are all commented out is an empty one.
    below = {key: value for key, value in _plain(written).items() if value is not None}
    from_env = _read_environment(env)
    from_env.pop("data", None)
    try:
        return Settings(**_layered(below, from_env), data=where)
    except ValidationError as error:
        _explain(error, path, written, from_env)


def write_config(path: Path, values: Mapping[str, Any]) -> None:
    """Write a commented configuration (mode 0600): `values`, and every default as a comment.

    `values` is nested as in the file: `{"name": "…", "database": {"url": "…"}}`.

    Raises:
        Misconfigured: `values` would not load; nothing was written.
        Conflict: there is a file already; it was not touched.
    """
    try:
        Settings(**{**values, "data": path.parent.absolute()})
    except ValidationError as error:
        _explain(error, path, CommentedMap(), {})
    text = _render(values)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_new(path, text)
    except OSError as error:
        raise _misconfigured(str(path), "", "cannot be written", because=str(error)) from error


# --- reading -----------------------------------------------------------------------------------


class _GivenEnvironment(EnvSettingsSource):
    """The library's reading of `HUB_A__B`, over the variables handed in."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._given = env
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._given.items() if value != ""}


def _read_environment(env: Mapping[str, str]) -> dict[str, Any]:
    # Flat unknown names are left alone: the passphrase and other programs' variables are flat.
    # Names with "__" can only be meant for us, so a misspelt section must not be lost silently.
    for name in env:
        section, nested, _ = name.removeprefix(_PREFIX).lower().partition(_NESTING)
        if name.startswith(_PREFIX) and nested and section not in Settings.model_fields:
            raise _unknown(name, section, list(Settings.model_fields))
    return _GivenEnvironment(env)()


def _read_yaml(path: Path) -> CommentedMap:
    yaml = YAML(typ="rt")  # YAML 1.2, duplicate keys refused, positions kept
    try:
        found = yaml.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return CommentedMap()
    except (OSError, UnicodeDecodeError) as error:
        raise _misconfigured(str(path), "", "cannot be read", because=str(error)) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        # The library's own words for this case quote the value, which may be a secret.
        twice = isinstance(error, DuplicateKeyError)
        problem = "the same name stands here twice" if twice else error.problem
        raise _misconfigured(place, "", str(problem or "is not YAML")) from error
    except YAMLError as error:
        raise _misconfigured(str(path), "", "is not YAML", because=str(error)) from error
    if found is None:
        return CommentedMap()
    if not isinstance(found, CommentedMap):
        raise _misconfigured(f"{path}:1:1", "", "must be a list of `name: value` lines")
    return found


def _plain(value: Any) -> Any:
    """The same without ruamel's own kinds of mapping and list."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value


def _layered(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        merged[key] = _layered(cast("dict[str, Any]", under), value) if both else value
    return merged


# --- explaining --------------------------------------------------------------------------------


def _misconfigured(
    place: str, name: str, problem: str, *, hint: str = "", because: str = ""
) -> Misconfigured:
    told = "{place}: {name} {problem}" if name else "{place}: {problem}"
    return Misconfigured(
        "config_invalid",
        told,
        hint=hint,
        because=because,
        place=place,
        name=name,
        problem=problem,
    )


def _unknown(place: str, name: str, known: list[str]) -> Misconfigured:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return Misconfigured(
        "config_unknown_key",
        '{place}: there is no setting "{name}"',
        hint='Did you mean "{nearest}"?' if near else "Known here: {known}",
        place=place,
        name=name,
        nearest=near[0] if near else "",
        known=", ".join(known),
    )


def _explain(
    error: ValidationError, path: Path, written: CommentedMap, from_env: dict[str, Any]
) -> NoReturn:
    """Raise the first problem as Misconfigured, at the place where the operator wrote it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    keys = tuple(str(key) for key in first["loc"] if not isinstance(key, int))
    if _holds(from_env, keys):
        place = _PREFIX + _NESTING.join(keys).upper()
    elif keys == ("url",) and "url" not in written:
        place = str(path)  # nobody wrote it: it was made from `listen`
    else:
        place = _place(path, written, keys)
    if first["type"] == "extra_forbidden":
        raise _unknown(place, keys[-1], _known_beside(keys)) from None
    problem = first["msg"].removeprefix("Value error, ")
    problem = problem.replace("Input should", "must", 1)
    problem = problem[:1].lower() + problem[1:]
    raise _misconfigured(
        place, ".".join(keys), problem, because=f"{error.error_count()} problems"
    ) from None


def _holds(values: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True


def _place(path: Path, written: CommentedMap, keys: Sequence[str]) -> str:
    """`file:line:column` of the deepest part of `keys` that stands in the file."""
    found: Any = written
    place = str(path)
    for key in keys:
        if not isinstance(found, CommentedMap) or key not in found:
            break
        line, column = found.lc.key(key)
        place = f"{path}:{line + 1}:{column + 1}"
        found = found[key]
    return place


def _known_beside(keys: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for key in keys[:-1]:
        field = model.model_fields.get(key)
        if field is None or not isinstance(field.annotation, type):
            return []
        model = field.annotation
    return list(model.model_fields)


# --- writing -----------------------------------------------------------------------------------


def _write_new(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Conflict(
            "config_exists", "There is a configuration already: {path}", path=str(path)
        ) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()  # half a configuration would be read as a whole one
        raise


def _render(values: Mapping[str, Any]) -> str:
    lines = [
        "# Settings of this node. Lines that begin with a bare # show the defaults: take the #",
        "# away to change one. A variable HUB_NAME or HUB_SECTION__NAME wins over this file.",
    ]
    for name, field in Settings.model_fields.items():
        if name == "data":
            continue
        lines += ["", f"# {field.description}"]
        inner = field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            lines.append(_mark(name in values) + _line(name, values.get(name, field.default)))
            continue
        given = values.get(name) or {}
        lines.append(f"{_mark(given)}{name}:")
        for inner_name, inner_field in inner.model_fields.items():
            line = _line(inner_name, given.get(inner_name, inner_field.default))
            mark = _mark(inner_name in given)
            lines.append(f"{mark}  {line}  # {inner_field.description}")
    return "\n".join(lines) + "\n"


def _mark(given: object) -> str:
    return "" if given else "#"


def _line(name: str, value: object) -> str:
    out = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = True
    yaml.width = 10_000
    yaml.allow_unicode = True
    yaml.dump(str(value) if isinstance(value, Path) else _plain(value), out)
    text = out.getvalue().removesuffix("...\n").strip()
    return f"{name}: {text}"
