"""The console: one page for people, without a build step. Its files are served as they are."""
