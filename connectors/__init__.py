"""Connectors: our code that talks to one kind of foreign desk. They see only their contract."""
