"""What can be seen: read-only, as view dataclasses for pages, programs and commands."""
