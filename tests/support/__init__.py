"""What the tests stand on: a real PostgreSQL, and the parts of this machine that some of them need."""
