"""The statements of identity, by table."""
