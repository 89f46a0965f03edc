"""Coverage-guided fuzzing of everything that reads what others wrote.

`python -m tools.fuzz [--seconds 60] [--seed 1] [--target NAME] [--corpus DIR] [--replay FILE]`.

Each target (`tools/fuzz/targets.py`) gets a process of its own and its share of the seconds.
libFuzzer (by way of atheris) chooses what to try by the branches that were reached; what it
changes is half bytes and half the structure of the JSON (`tools/fuzz/mutations.py`). A seed makes
the same inputs in the same order, where no corpus is kept between runs.

A finding is anything but a `HubError` out of a reader, an answer of the door that its tables do
not know, something read that does not survive being written, or more than a second of processor
time for one input. The input is saved in `build/fuzz/<target>/` and the exit code is 1;
`--target T --replay FILE` tries it once more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FINDINGS: Final = ROOT / "build" / "fuzz"
TARGETS: Final = {  # name → its share of the time
    "json": 1,
    "jws": 1,
    "readers": 3,
    "payloads": 1,
    "headers": 1,
    "letters": 3,
    "door": 3,
}
MAX_INPUT: Final = 4096
HANGS_S: Final = 60  # of wall time: whatever takes as long never ends
_AT_START: Final = re.compile(r"INITED cov: (\d+)")
_REACHED: Final = re.compile(r" cov: (\d+) ft: \d+ corp: (\d+)")
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target did in its time."""

    target: str
    seconds: int
    executions: int
    edges_of_seeds: int  # branches the seeds alone reach
    edges: int  # branches reached in the end
    inputs: int  # worth keeping: each reaches something no other does
    findings: list[str]  # saved inputs
    said: str  # the end of the log, where something was found


def main(arguments: Sequence[str]) -> int:
    """Fuzz every target in turn; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=TARGETS)
    parser.add_argument("--corpus", type=Path, help="keep what was worth keeping, and go on there")
    parser.add_argument("--replay", type=Path, help="try this one input; needs one --target")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    names = given.target or list(TARGETS)
    if given.replay:
        return _start(names[0], [str(given.replay.resolve())]).returncode
    whole = sum(TARGETS[name] for name in names)
    outcomes = []
    for name in names:
        seconds = max(1, given.seconds * TARGETS[name] // whole)
        outcome = _fuzz(name, seconds, given.seed, given.corpus)
        outcomes.append(outcome)
        if not given.json:
            print(_line(outcome), flush=True)
    if given.json:
        print(json.dumps([asdict(one) for one in outcomes], indent=2))
    return 1 if any(one.findings for one in outcomes) else 0


def _fuzz(name: str, seconds: int, seed: int, corpus: Path | None) -> Outcome:
    findings = FINDINGS / name
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory(prefix="hub-fuzz-") as scratch:
        kept = (corpus / name if corpus else Path(scratch) / "corpus").resolve()
        kept.mkdir(parents=True, exist_ok=True)
        done = _start(
            name,
            [
                f"-max_total_time={seconds}",
                f"-seed={seed}",
                f"-max_len={MAX_INPUT}",
                f"-timeout={HANGS_S}",
                f"-artifact_prefix={findings}/",
                "-print_final_stats=1",
                "-reload=0",
                "-rss_limit_mb=2048",
                str(kept),
            ],
            quiet=True,
        )
    log = done.stderr + done.stdout
    executed, started = _EXECUTED.search(log), _AT_START.search(log)
    if executed is None or (started is None and not done.returncode):
        raise SystemExit(f"the fuzzer of '{name}' did not run:\n{log[-3000:]}")
    reached = [match.groups() for match in _REACHED.finditer(log)] or [("0", "0")]
    found = sorted(str(path) for path in set(findings.iterdir()) - before)
    if done.returncode and not found:
        found = ["an input that was found before: see the log"]
    return Outcome(
        target=name,
        seconds=seconds,
        executions=int(executed[1]),
        edges_of_seeds=int(started[1]) if started else 0,
        edges=max(int(edges) for edges, _ in reached),
        inputs=int(reached[-1][1]),
        findings=found,
        said=log[-4000:] if done.returncode else "",
    )


def _start(name: str, flags: list[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.fuzz.targets", name, *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=quiet,
        text=True,
        errors="replace",
        check=False,
    )


def _line(one: Outcome) -> str:
    line = (
        f"{one.target:<10} {one.executions:>9} executions in {one.seconds} s, "
        f"{one.edges} branches ({one.edges_of_seeds} by the seeds), {one.inputs} inputs kept"
    )
    return (
        line
        + "".join(f"\n  FOUND {path}" for path in one.findings)
        + (f"\n{one.said}" if one.said else "")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
