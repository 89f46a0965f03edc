"""Real desks, started for as long as somebody needs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("HUB_REAL_DESKS", Path(tempfile.gettempdir()) / "hub-real-desks"))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def started(name: str, path: str, hook_port: int = 0) -> Iterator[tuple[str, Path]]:
    """The desk's address and folder; it is stopped afterwards, whatever happened."""
    folder, port = FOLDER / name, free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pid").unlink(missing_ok=True)
    script = HERE / f"{name.replace('-', '_')}_up.sh"
    hook = f"http://127.0.0.1:{hook_port}/"
    done = subprocess.run(
        ["sh", str(script), str(folder), str(port), hook],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    if done.returncode:
        told = f"NOT TESTED AGAINST {name}: {done.stderr[-300:]}"
        assert not os.environ.get("HUB_REQUIRE_DESKS"), told
        pytest.skip(told)
    try:
        _answers(f"http://127.0.0.1:{port}{path}")
        yield f"http://127.0.0.1:{port}", folder
    finally:
        os.killpg(int((folder / "pid").read_text()), signal.SIGTERM)


def _answers(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=10)
        except urllib.error.HTTPError:
            return  # it is there and wants to know who asks
        except OSError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.2)
        else:
            return
