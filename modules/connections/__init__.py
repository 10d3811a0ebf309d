"""Data connections: a person's account at a provider, lent to a mandate for what host applications do there.

They are not logins. A connection has scopes, a flow and rows of its own, opens no session and ends with none.
"""
