"""The routes of this feature."""
