"""A registry that follows another registry's change feed and verifies it."""
