"""Nodes in a box: whole networks of real nodes on a virtual clock, without sockets or threads."""
