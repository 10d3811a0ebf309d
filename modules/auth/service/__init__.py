"""What identity does, by noun."""
