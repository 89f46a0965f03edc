"""Write docs/protocol/payloads.md from the payload schemas, so that the two cannot differ.

python -m tools.payload_docs            writes the page
python -m tools.payload_docs --check    exits 1 where the page is not what would be written
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hub.protocol.payloads import TYPES, PayloadType

ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMAS: Final = ROOT / "schemas" / "v1"
PAGE: Final = ROOT / "docs" / "protocol" / "payloads.md"

Schema = Mapping[str, Any]

INTRODUCTION: Final = """\
# Payloads

<!-- Generated from schemas/v1 by tools/payload_docs.py: change the schemas, not this page. -->

The `data` of every message type of TXP/1. The JSON Schemas in `schemas/v1` are the contract,
with examples and counter-examples beside them; this page is a reading of them. Format checking
(`date-time`) must be on.

What holds for all of them:

- Absent means unknown or undisclosed. There is no `null`.
- Lengths are counted in Unicode characters.
- Unknown members are kept and ignored, at every depth.
- A schema never changes under its `$id`; a changed one is a new version (`/2`).

*Must-understand* types are rejected by a node that does not know them; others are stored and
ignored. *Control* types pass while a link is suspended.
"""


def page() -> str:
    """The whole page."""
    shared: Schema = _read("defs")["$defs"]
    lines = [INTRODUCTION, "## Shared definitions", ""]
    lines += ["| name | type | meaning |", "|---|---|---|"]
    for name, schema in shared.items():
        lines.append(_row(f"`{name}`", _kind(schema, expand=True), schema["description"]))
    for name, schema in shared.items():
        inner = schema.get("items", schema)
        if "properties" in inner:
            items = ", each item" if "items" in schema else ""
            lines += ["", f"### `{name}`{items}", "", *_table(inner)]
    for kind in TYPES.values():
        lines += _section(kind, _read(kind.name))
    return "\n".join(lines) + "\n"


def _read(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    return schema


def _section(kind: PayloadType, schema: Schema) -> Iterator[str]:
    traits = [
        "must-understand" if kind.must else "not must-understand",
        "on a hand-off" if kind.on_handoff else "on the link",
        *(["control"] if kind.control else []),
    ]
    yield from ("", f"## `{kind.name}`", "")
    yield f"**{schema['title']}.** {schema['description']}"
    yield from ("", f"`dt` `{kind.schema_id}`, {', '.join(traits)}.", "")
    yield from _table(schema)
    for name, member in schema["properties"].items():
        if "properties" in member:
            yield from ("", f"Members of `{name}`:", "")
            yield from _table(member)


def _table(schema: Schema) -> Iterator[str]:
    required = schema.get("required", [])
    yield "| member | type | required | meaning |"
    yield "|---|---|---|---|"
    for name, member in schema["properties"].items():
        needed = "yes" if name in required else ""
        yield _row(f"`{name}`", _kind(member), needed, member["description"])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(schema: Schema, *, expand: bool = False) -> str:
    """The type in a few words; a shared definition by its name unless it is to be expanded."""
    if "$ref" in schema and not expand:
        name = schema["$ref"].rpartition("/")[2]
        minimum = f", at least {schema['minItems']}" if "minItems" in schema else ""
        return f"[{name}](#shared-definitions){minimum}"
    match schema["type"]:
        case "string" if "enum" in schema:
            return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
        case "string":
            return "string" + _between(schema.get("minLength"), schema.get("maxLength"))
        case "integer":
            return "integer" + _between(schema.get("minimum"), schema.get("maximum"))
        case "array":
            bounds = _between(schema.get("minItems"), schema.get("maxItems"))
            items = schema["items"]
            return f"list{bounds} of {_kind(items)}"
        case kind:
            return str(kind)


def _between(low: int | None, high: int | None) -> str:
    if low == high:
        return "" if low is None else f" ({low})"
    return f" ({0 if low is None else low}–{'' if high is None else high})"  # noqa: RUF001 - a range in print


def main(arguments: list[str]) -> int:
    """Write the page or compare it; the exit code."""
    parser = argparse.ArgumentParser(prog="payload_docs", description="Write payloads.md.")
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    fresh = page()
    if parser.parse_args(arguments).check:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == fresh:
            return 0
        print(f"{PAGE.name} is out of date: run python -m tools.payload_docs", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
