"""What this feature asks of the database."""
