"""DOOR for people at a terminal: `hub <noun> <verb>`. Thin over actions and queries.

Data goes to standard output, everything else to standard error; `--json` is one document.
"""
