"""What a caller may do: roles, rules, the evaluator, and the guard against escalation."""
