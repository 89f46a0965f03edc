"""Write the migration that is not released yet: what the tables have beyond the last released one.

`python -m tools.write_migration` replaces the file of the newest revision; `--new "Title"`
begins the next one. The file says exactly what Alembic found; data steps go into a function of
their own under it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from hub.storage import migrate
from hub.storage.database import sqlite_engine

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"


def main() -> int:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", metavar="TITLE", help="begin the next revision")
    arguments = parser.parse_args()
    newest = max(VERSIONS.glob("[0-9]*.py"))
    if arguments.new:
        number, title = f"{int(newest.name[:4]) + 1:04}", arguments.new
    else:
        number = newest.name[:4]
        title = newest.read_text().split('"""')[1].splitlines()[0].rstrip(".")
        newest.unlink()
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlite_engine(Path(folder) / "hub.db")
        with engine.connect() as connection:
            config = migrate._config(connection)
            command.upgrade(config, "head")
            command.revision(config, message=title, autogenerate=True, rev_id=number)
    written = next(VERSIONS.glob(f"{number}_*.py"))
    text = re.sub(r"^ *# ### .*\n", "", written.read_text(), flags=re.MULTILINE)
    # As SQLite spells truth; PostgreSQL takes no number for it.
    text = text.replace('sa.text("0")', "sa.false()").replace('sa.text("1")', "sa.true()")
    text = text.replace("sa.text('0')", "sa.false()").replace("sa.text('1')", "sa.true()")
    written.write_text(text)
    for what in (["format", "--quiet"], ["check", "--fix", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *what, written], check=False)
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
