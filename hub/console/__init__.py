"""The door for people: the invitation page and health so far."""
