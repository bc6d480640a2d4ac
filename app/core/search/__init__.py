"""The search index and its queries.

`tokens` splits texts into words and says which spellings are equal. `entries` and `about` define what is stored for a
record. `query/` splits a query into concepts, corrects it and interprets it, with the words of `vocabulary`.
`candidates`, `scoring` and `ranking` find and order the hits. To add a synonym, edit query/synonyms.yaml: nothing else
has to change. The routes of `/v1/search` are in `app/search`. This package may import models and the database.
"""
