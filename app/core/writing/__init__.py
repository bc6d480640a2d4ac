"""The write path: every write of a record goes through `batch.Batch`, also from imports, mirrors and the seed.

`edit` decides what one request may write, with `conditions` (If-Match) and `integrity` (rules). `batch` writes it,
`representation` makes the stored JSON, and `editor` runs the transactions of the process. This package may import
search and access.
"""
