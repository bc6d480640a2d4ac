"""Imports in the database: claims of processes, quotas, the lines in chunks, and deletion."""
