"""What this feature takes and gives on the wire."""
