"""What is fuzzed, with which seeds, and what counts as a finding.

`python -m tools.fuzz.targets NAME [libFuzzer flags] [FILES]` is one target in one process, which
ends with its process; `python -m tools.fuzz` is what people start.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

import atheris

_GUIDES: Final = [
    "hub",
    "http_sf",
    "http_message_signatures",
    "email",
]  # whose branches are counted

with atheris.instrument_imports(include=_GUIDES):
    from hub.errors import HubError
    from tools.fuzz import mutations, readers

SECONDS: Final = 1.0  # of processor time: no input may cost more


class Target(Protocol):
    """One thing that reads what others wrote."""

    prefix: int  # bytes at the start that are no JSON

    def seeds(self) -> Iterable[bytes]:
        """Inputs from which to start."""
        ...

    def prepare(self) -> None:
        """Be ready for the next input; its cost is not the input's."""
        ...

    def run(self, data: bytes) -> None:
        """Read the input. Raises nothing but HubError."""
        ...


class Plain:
    """A target without a state."""

    prefix = 0

    def __init__(
        self, run: Callable[[bytes], object], seeds: Callable[[], Iterable[bytes]]
    ) -> None:
        self.run = run
        self.seeds = seeds

    def prepare(self) -> None:
        """Nothing to do."""


class Choice(Plain):
    """Many readers: the first byte says which one reads the rest."""

    prefix = 1

    def __init__(self, table: dict[str, readers.Reader]) -> None:
        chosen = list(table.values())

        def run(data: bytes) -> None:
            if data:
                chosen[data[0] % len(chosen)][0](data[1:])

        def seeds() -> Iterable[bytes]:
            return (bytes([n]) + seed for n, (_, given) in enumerate(chosen) for seed in given)

        super().__init__(run, seeds)


def make(name: str) -> Target:
    """The target of this name."""
    match name:
        case "json":
            return Plain(readers.read_json, readers.json_seeds)
        case "jws":
            return Plain(
                readers.read_jws, lambda: [one.encode() for one in sorted(readers.GENUINE)]
            )
        case "readers":
            return Choice(readers.readers())
        case "payloads":
            return Choice(readers.payload_readers())
        case "headers":
            return Plain(readers.read_headers, readers.header_seeds)
        case "letters":
            return Plain(readers.read_letter, readers.letter_seeds)
        case "door":
            with atheris.instrument_imports(include=_GUIDES):
                from tools.fuzz.door import DoorTarget
            return DoorTarget()
    raise SystemExit(f"no target '{name}'")


def main(name: str, flags: list[str]) -> None:
    """Fuzz this target; never returns."""
    target = make(name)
    size = target.prefix
    changed = mutations.changed_letter if name == "letters" else mutations.mutated
    seeds = sorted({seed for seed in target.seeds() if len(seed) <= 4096})

    def once(data: bytes) -> float:
        target.prepare()
        began = time.process_time()
        try:
            target.run(data)
        except HubError as error:
            _ = f"{error}{error.told}{error.hint}"  # a refusal must be tellable
        return time.process_time() - began

    def one(data: bytes) -> None:
        # What is slow once may have been interrupted; what is slow again is slow.
        if once(data) > SECONDS and (took := once(data)) > SECONDS:
            raise readers.Finding(f"an input takes {took:.1f} s")

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        head, rest = data[:size], data[size:]
        return head + changed(rest, max_size - size, seed, atheris.Mutate)

    for seed in seeds:  # what is made only once is nobody's cost
        once(seed)
    with tempfile.TemporaryDirectory(prefix="hub-seeds-") as folder:
        replayed = bool(flags) and not flags[0].startswith("-")
        if not replayed:
            for number, seed in enumerate(seeds):
                (Path(folder) / f"{number:05}").write_bytes(seed)
            flags = [*flags, folder]
        atheris.Setup([sys.argv[0], *flags], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
