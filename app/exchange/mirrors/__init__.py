"""Mirrors: databases that are built from the change feed of another registry and that verify it."""
