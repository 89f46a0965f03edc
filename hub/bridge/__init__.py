"""The door to foreign desks, through connectors (to come)."""
