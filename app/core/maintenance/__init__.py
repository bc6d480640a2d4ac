"""What an operator runs over the whole registry: migrate, backup, restore, verify, redact.

Only commands import it. It may know everything below it in the core.
"""
