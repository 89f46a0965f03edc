"""Desks described, not programmed: one YAML file says how to speak with one kind of desk.

`description` is the file's shape, `source` reads it with lines and columns, `connector` speaks as
it says. Expressions in it are text from an administrator: `sandbox` bounds them.
"""
