"""Callers and their keys: who sends a request and which scopes they have.

The routes that administer keys are in `app/keys`. It may know the database and the log.
"""
