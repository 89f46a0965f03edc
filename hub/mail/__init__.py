"""The door for e-mail (to come)."""
