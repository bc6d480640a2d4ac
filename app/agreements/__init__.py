"""`/v1/agreements`: what was signed or is meant to be signed."""
