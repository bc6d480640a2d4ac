"""`/v1/partners`: organisations, and the merge of duplicates."""
