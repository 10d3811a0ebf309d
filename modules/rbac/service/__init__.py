"""What this feature does, one class per noun."""
