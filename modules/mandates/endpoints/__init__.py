"""The routes of mandates, by noun."""
