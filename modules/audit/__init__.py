"""Append-only security and business events."""
