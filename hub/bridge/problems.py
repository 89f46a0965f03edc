"""A desk's errors as errors of ours, for whoever asked it something just now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from connectors.contract import DeskError, Gone, Misconfigured, Unavailable, Untrusted
from connectors.contract import Refused as DeskRefused
from hub import errors


@contextlib.contextmanager
def as_ours(desk: str) -> Iterator[None]:
    """What a desk raises inside comes out as an error of the hub's own kinds."""
    try:
        yield
    except DeskError as error:
        raise _ours(error, desk) from error


def _ours(error: DeskError, desk: str) -> errors.HubError:
    kind: type[errors.HubError] = errors.Misconfigured
    if isinstance(error, Gone):
        kind = errors.NotFound
    elif isinstance(error, DeskRefused):
        kind = errors.Refused
    elif isinstance(error, Unavailable):
        kind = errors.Unavailable
    else:
        assert isinstance(error, Misconfigured | Untrusted)
    facts = {name: value for name, value in error.facts.items() if name not in {"desk", "code"}}
    return kind(
        error.code,
        error.message_id,
        hint="hub connector check {desk}",
        because=error.because,
        desk=desk,
        **facts,
    )
