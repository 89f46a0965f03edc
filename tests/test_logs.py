"""What we write carries its context and no secret, whoever wrote it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub import logs
from hub.metrics import Metrics

SECRETS = [
    "txp1.eyJhIjoxfQ",
    "hub_" + "a1B2" * 10,
    "Bearer abcdefghijklmnop",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbswordfish\n-----END ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIGbswordfish",
    "https://hub.example/i#txp1.abc",
    "postgresql+asyncpg://hub:swordfish@db/hub",
]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=["json", "console"])
def out(request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(request.param, "info", stream)
    return stream


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_by_its_shape_is_hidden_wherever_it_stands(secret: str, out: io.StringIO) -> None:
    log = logs.get_logger("hub.test")
    log.info(
        f"said {secret}",  # noqa: G004 - the careless way is the one to test
        place=f"x {secret} y",
        nested={"list": [secret]},
        error=OSError(secret),
    )
    logging.getLogger("library").warning("it says %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("broke")
    text = out.getvalue()
    for part in ("swordfish", "eyJhIjoxfQ", "a1B2", "abcdefghijklmnop", "txp1."):
        assert part not in text
    assert logs.HIDDEN in text


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "token",
        "api_token",
        "Authorization",
        "set-cookie",
        "password",
        "newPassword",
        "passphrase",
        "totp_seed",
        "private_key",
        "pem",
        "recovery_codes",
        "code",
    ],
)
def test_a_secret_by_its_name_is_hidden(key: str, out: io.StringIO) -> None:
    logs.get_logger("hub.test").info("x", **{key: "482913"}, nested={key: ["482913"]})
    assert "482913" not in out.getvalue()


def test_what_only_speaks_about_secrets_stays() -> None:
    facts: dict[str, Any] = {
        "code": "peer_unreachable",
        "status_code": 503,
        "token_id": "tok_1",
        "passphrase_file": "/run/x",
        "encoded": "yes",
        "token": None,
        "body": b"12345",
    }
    assert logs.redact(None, "info", facts) == {**facts, "body": "5 bytes"}


def test_context_is_bound_and_let_go() -> None:
    out = io.StringIO()
    logs.set_up("auto", "info", out)
    log = logs.get_logger("hub.test")
    with logs.bound(link="lnk_1"):
        log.info("inside", seq=1)
    log.info("outside")
    log.debug("unheard")
    inside, outside = (json.loads(line) for line in out.getvalue().splitlines())
    assert (inside["event"], inside["link"], inside["seq"]) == ("inside", "lnk_1", 1)
    assert (inside["level"], inside["logger"]) == ("info", "hub.test")
    assert "link" not in outside


def test_two_nodes_count_for_themselves() -> None:
    one, two = Metrics(), Metrics()
    one.sealed.labels(type="comment.add").inc()
    one.exchange_seconds.observe(0.2)
    assert b'hub_messages_sealed_total{type="comment.add"} 1.0' in one.render()
    assert b"comment.add" not in two.render()
