"""What is done with data connections: made, listed and ended, used, and let go."""
