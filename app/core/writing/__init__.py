"""The only way into the database for records: conditions, validation, rendering, Changes.

Single writes, imports, mirrors and the seed all write through `batch.Batch`. It may know search and access.
"""
