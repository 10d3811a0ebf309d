"""What the commands of `mandate` do, by noun. `gateway/cli.py` has their names and options and loads these on use."""
