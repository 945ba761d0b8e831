"""Backends: programs as they run."""
