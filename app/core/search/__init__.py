"""The search index and its queries.

What is a word, and which spellings count as equal: `tokens`. What is stored for a record: `entries`, `about`. How a
query is split into concepts: `concepts`, `synonyms`. How it is understood and corrected: `understanding`,
`interpretation`, `vocabulary`. The order of hits: `scoring`, `ranking`. To add a synonym, edit synonyms.yaml:
nothing else has to change. The routes of `/v1/search` are in `app/search`. This package may import models and the
database.
"""
