"""Facts about roles, rules and decisions."""
