"""Who is calling: users, credentials, sessions, tokens."""
