"""Getting into the console from the machine itself: `hub console`, `hub user reset`, `hub serve`.

The links are opened over HTTP, as a browser would, at a node that is served beside the command.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.cli.conftest import Node, found

PASSWORD = "лошадь скрепка батарея"
OVER = {"en": "This link opens nothing (any more)", "ru": "Эта ссылка (уже) ничего не открывает"}


class Browser:
    """Keeps cookies, follows nothing, and sends forms as pages of the hub do."""

    def __init__(self, language: str = "en") -> None:
        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_args: object) -> None:
                return None

        self.jar = http.cookiejar.CookieJar()
        keep = urllib.request.HTTPCookieProcessor(self.jar)
        self._opener = urllib.request.build_opener(Stay(), keep)
        self._language = language

    def ask(self, url: str, form: dict[str, str] | None = None, site: str = "same-origin"):
        """Status and text."""
        body = None if form is None else urlencode(form).encode()
        headers = {"Accept-Language": self._language, "Sec-Fetch-Site": site}
        request = urllib.request.Request(url, body, headers)
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def choose(self, url: str, password: str = PASSWORD) -> int:
        """The status of choosing this password with this link."""
        return self.ask(url, {"password": password, "again": password})[0]

    def is_in(self, url: str) -> bool:
        """Whether a page of the console opens."""
        parts = urlsplit(url)
        return self.ask(f"{parts.scheme}://{parts.netloc}/settings/profile")[0] == 200


def is_over(url: str, language: str = "en") -> bool:
    """Whether nobody gets in by it, and is told so in the reader's language."""
    browser = Browser(language)
    looked, words = browser.ask(url)
    chosen = browser.choose(url)
    assert (looked, chosen) == (422, 422) or 200 not in {looked, chosen}
    assert OVER[language] in words, words[-2000:]
    return not browser.is_in(url)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Node]:
    node = found(tmp_path / "node", "Сервис Плюс")
    node.serve()
    yield node
    node.stop()


def expire(node: Node) -> None:
    """A day goes by for every link there is."""
    with sqlite3.connect(node.data / "hub.db", timeout=20) as database:
        database.execute("UPDATE access_links SET expires_at = created_at")
    database.close()


def test_the_first_link_chooses_a_password_and_later_ones_sign_in(served: Node) -> None:
    first = served("console")
    assert first["purpose"] == "set_up"
    assert first["link"].startswith(first["address"] + "enter/")
    browser = Browser()
    status, page = browser.ask(first["link"])
    assert status == 200 and "password" in page
    assert not browser.is_in(first["link"]), "to look is not to enter"
    assert browser.choose(first["link"], "short") == 422
    assert browser.choose(first["link"]) == 303
    assert browser.is_in(first["link"])
    assert is_over(first["link"]), "it opens once"
    second = served("console")
    assert second["purpose"] == "sign_in"
    owner = Browser()
    # Opened by hand on the machine itself it lets in at once; a page that leads there does not.
    assert Browser().ask(second["link"], site="cross-site")[0] == 200
    assert owner.ask(second["link"], site="none")[0] == 303
    assert owner.is_in(second["link"])
    assert is_over(second["link"], "ru")


def test_a_new_link_ends_the_one_before_it_and_none_lasts(served: Node) -> None:
    first, second = served("console")["link"], served("console")["link"]
    assert is_over(first)
    expire(served)
    assert is_over(second, "ru")
    third = served("console")["link"]
    assert is_over(third[:-1] + ("A" if third[-1] != "A" else "B"))
    assert is_over(third.rpartition("/")[0] + "/..")
    assert Browser().choose(third) == 303, "guesses use nothing up"


def test_the_address_alone_opens_nothing(served: Node) -> None:
    said = served("console", "--address-only")
    assert (said["link"], said["purpose"]) == (None, None)
    assert "/enter/" not in served.say("console", "--address-only").out
    assert not Browser().is_in(said["address"])


def test_a_link_is_for_whom_it_was_made(served: Node) -> None:
    Browser().choose(served("console")["link"])
    served("user", "add", "olga@plus.example", "--name", "Ольга", "--role", "dispatcher")
    refused = served("console", "--as", "olga@plus.example", fails=4)
    assert refused["code"] in {"not_yours", "admin_needed", "permission_denied"}, refused
    assert served("user", "reset", "nobody@plus.example", fails=5)["code"] == "agent_unknown"
    served("user", "disable", "olga@plus.example")
    assert served("user", "reset", "olga@plus.example", fails=4)["code"] == "agent_disabled"


def test_a_reset_gives_a_new_password_and_ends_what_the_old_one_opened(served: Node) -> None:
    Browser().choose(served("console")["link"])
    served("user", "add", "olga@plus.example", "--name", "Ольга", "--role", "engineer")
    olga, thief = Browser(), Browser()
    first = served("user", "reset", "olga@plus.example")["link"]
    assert olga.choose(first) == 303
    assert is_over(first, "ru")
    site = first.partition("/enter/")[0]
    sign_in = {"email": "olga@plus.example", "password": PASSWORD}
    assert thief.ask(f"{site}/sign-in", sign_in)[0] == 303
    assert thief.is_in(first)
    again = served("user", "reset", "olga@plus.example")["link"]
    assert thief.is_in(first), "to make a link ends nothing"
    assert olga.choose(again, "другая лошадь и скрепка") == 303
    assert not thief.is_in(first)
    assert Browser().ask(f"{site}/sign-in", sign_in)[0] == 422
    late = served("user", "reset", "olga@plus.example")["link"]
    expire(served)
    assert is_over(late)


@pytest.mark.parametrize(
    ("language", "told"), [("en", "Nobody can sign in yet"), ("ru", "Войти пока не может никто")]
)
def test_serving_says_how_to_begin_until_somebody_has(
    node: Node, language: str, told: str, tmp_path: Path
) -> None:
    link = node("console")["link"]
    with serving(node, language) as said:
        until(lambda: "/enter/" in said())
        assert told in said()
        (newer,) = re.findall(r"http\S+/enter/\S+", said())
        assert newer != link
        assert is_over(link, language), "a new one ends the one before it"
        browser = Browser(language)
        assert browser.choose(newer) == 303
        assert browser.is_in(newer)
        assert is_over(newer, language)
    with serving(node, language) as said:
        pass
    assert told not in said()
    assert "/enter/" not in said()
    kept = b"".join(path.read_bytes() for path in node.data.rglob("*") if path.is_file())
    for secret in (link, newer):
        assert secret.rpartition("/")[2].encode() not in kept


@contextmanager
def serving(node: Node, language: str):
    """`hub serve` as a process of its own; what it has said on standard error so far."""
    listen = urlsplit(node.url).netloc
    command = [sys.executable, "-m", "hub", "serve", "--json", "--listen", listen]
    path = node.data.parent / "said"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HUB_LANG": language,
        "PYTHONIOENCODING": "utf-8",
    }
    with (
        path.open("wb") as err,
        subprocess.Popen(
            [*command, "--data", str(node.data)],
            stdout=subprocess.PIPE,
            stderr=err,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        site, browser = node.url, Browser()
        assert browser.ask(f"{site}/healthz")[0] == 200

        def said() -> str:
            return path.read_text("utf-8")

        try:
            until(lambda: browser.ask(f"{site}/readyz")[0] == 200)
            yield said
        finally:
            process.terminate()
            assert process.wait(20) == 0


def until(holds) -> None:
    """Wait for another process."""
    import time

    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
