"""The search index and its query side: tokens, vocabulary, interpretations of a query, ranking.

The routes of `/v1/search` are in `app/search`. It may know models and the database.
"""
