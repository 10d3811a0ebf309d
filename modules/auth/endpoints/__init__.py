"""The routes of identity, by noun."""
