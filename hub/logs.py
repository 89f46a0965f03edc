"""What we write about ourselves: one line per fact, JSON in service, pretty on a terminal.

Doors bind who and what (`bound(request_id=…, link=…)`); everything logged below carries it.
No line of ours, of a library or of a traceback leaves without passing `redact`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import Processor

HIDDEN: Final = "[hidden]"

_SECRET_WORDS: Final = frozenset(
    {
        "authorization",
        "code",
        "cookie",
        "credential",
        "mac",
        "otp",
        "passphrase",
        "password",
        "pem",
        "pin",
        "private",
        "secret",
        "seed",
        "token",
    }
)
# A name that ends so speaks *about* a secret: where it lies, which one, how many.
_ABOUT: Final = ("_file", "_path", "_id", "_kid", "_count", "_bytes", "_at", "_kind", "_name")
_ERROR_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)*")  # our stable codes; never a one-time code
_HTTP_STATUS: Final = range(100, 600)
_SECRET_SHAPES: Final = re.compile(
    r"txp1\.[A-Za-z0-9_\-]+"  # invitation codes
    r"|hub_[A-Za-z0-9_\-]{16,}"  # our API tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s@:]*:[^/\s@]*(?=@)"  # user and password in an address
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=\-]{8,}",
    re.DOTALL,
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The log of one module; `name` says which."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Everything logged inside, in this task and those it starts, carries these facts."""
    with structlog.contextvars.bound_contextvars(**facts):
        yield


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The event without secrets: neither under a telling name nor in a telling shape."""
    return {key: _without_secrets(key, value) for key, value in event.items()}


def set_up(
    form: Literal["auto", "json", "console"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Send our own and every library's log lines to `stream` (standard error by default)."""
    out = stream or sys.stderr
    pretty = form == "console" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Text only, before `redact`: the pretty formatters would print local variables after it.
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line per request is the doors' own, with our facts bound; this one would be a second.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a test may set up again, with another stream
    )


def _without_secrets(key: str, value: object) -> object:
    if _names_a_secret(key, value):
        return HIDDEN
    if isinstance(value, Mapping):
        return {inner: _without_secrets(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets("", held) for held in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, bool | int | float):
        return value
    return _SECRET_SHAPES.sub(HIDDEN, str(value))


def _names_a_secret(key: str, value: object) -> bool:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower().replace("-", "_")
    if value is None or isinstance(value, bool) or name.endswith(_ABOUT):
        return False
    words = {word.removesuffix("s") for word in name.split("_")}
    if not words & _SECRET_WORDS:
        return False
    if words & _SECRET_WORDS == {"code"}:
        # "code" is both: `code=peer_unreachable` is what the log is for, `code=482913` is not.
        if isinstance(value, int):
            return value not in _HTTP_STATUS
        return not (isinstance(value, str) and _ERROR_CODE.fullmatch(value))
    return True
