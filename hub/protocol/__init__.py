"""The wire format: bytes to typed messages and back, usable without the hub.

Everything here is pure. No module reads a clock, a file or a socket; time and randomness are
arguments. What comes from outside is refused with `Untrusted` before it becomes a type.
"""
