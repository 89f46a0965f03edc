"""The ticket exchange hub: one node of one company."""
