"""`/v1/partners`: organisations, and merging duplicates."""
