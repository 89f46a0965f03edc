"""The commands of the README, as a newcomer types them."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HUB = f"{shlex.quote(sys.executable)} -m hub"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.split("## Two companies")[1].split("```")[1]
    lines = [line.split("#")[0].strip() for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.slow
def test_the_two_companies_of_the_readme_work_a_ticket(tmp_path: Path) -> None:
    ports = {"8101": free_port(), "8102": free_port()}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        "PYTHONPATH": str(ROOT),
    }
    serving: list[subprocess.Popen[str]] = []
    code, last = "", ""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    try:
        for line in commands():
            for port, free in ports.items():
                line = line.replace(port, free)  # noqa: PLW2901 - the line as typed here
            typed = line.replace("CODE", code)
            typed = re.sub(r"^hub ", f"{HUB} ", typed)
            if typed.endswith("&"):
                process = subprocess.Popen(
                    [*shlex.split(typed.removesuffix("&")), "--json"],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                serving.append(process)
                assert "http://127.0.0.1" in process.stdout.readline()
                continue
            done = run(typed)
            patience = time.monotonic() + 20
            # The ticket travels by itself; a person looks again until it is there.
            while done.returncode == 5 and time.monotonic() < patience:
                done = run(typed)
            assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
            last = done.stdout + done.stderr
            found = re.search(r"txp1\.[A-Za-z0-9_-]+", last)
            code = found.group() if found else code
        assert "accepted" in last
    finally:
        for process in serving:
            process.terminate()
        for process in serving:
            process.wait(20)
            process.stdout.close()
