"""The only place that knows SQL: one file per noun.

`database` holds what differs between SQLite and PostgreSQL, `tables` every table.
"""
