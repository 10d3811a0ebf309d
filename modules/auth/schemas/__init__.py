"""The shapes of identity on the wire, by noun."""
