"""What can be done with mandates, by noun."""
