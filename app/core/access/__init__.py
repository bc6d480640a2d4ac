"""Callers and keys: who sends a request, and which scopes they have.

The endpoints that administer keys are in `app/keys`. These modules may use the database and the log.
"""
