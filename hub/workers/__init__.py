"""The crank: whatever is due is claimed, handled and settled."""
