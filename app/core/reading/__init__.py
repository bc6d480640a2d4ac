"""Reads of records: query strings, pages and cursors, includes, facets, history.

A read is a generator that yields statements and receives rows; it knows nothing of HTTP or of threads.
"""
