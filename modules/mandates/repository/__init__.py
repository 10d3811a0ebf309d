"""The rows of mandates, by noun. Every statement names the mandate; row-level security stands behind it."""
