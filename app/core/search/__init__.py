"""The search index and its queries.

What is a word, and which spellings count as equal: `tokens`. How a query is understood and what an unknown word is
corrected to: `interpretation`, `vocabulary`. The order of hits: `ranking`. What is stored: `index`.
There is no list of synonyms: other names of a record are its `aliases`, which are names like its name.
The routes of `/v1/search` are in `app/search`. This package may import models and the database.
"""
