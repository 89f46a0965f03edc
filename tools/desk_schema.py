"""The schema of desk descriptions for editors that complete: `python -m tools.desk_schema`."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.rest.description import Description

TARGET = Path(__file__).resolve().parents[1] / "connectors" / "desks" / "schema.json"


def schema() -> str:
    """The schema as it stands in the file."""
    made = Description.model_json_schema(by_alias=True)
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema(), "utf-8")
