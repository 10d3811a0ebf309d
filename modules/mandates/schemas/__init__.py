"""Mandates on the wire, by noun."""
