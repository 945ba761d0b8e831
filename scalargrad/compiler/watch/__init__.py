"""Watching: what a compiled function depends on, and whether that has changed."""
