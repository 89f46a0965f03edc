"""The door to peers: answering their calls, and calling them."""
