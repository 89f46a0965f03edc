"""The rules. Pure: no I/O, no clock, no randomness, no logging; all of these are arguments.

One noun a file. Nothing here knows the wire, a table or a page.
"""
