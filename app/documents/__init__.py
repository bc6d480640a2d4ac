"""`/v1/documents`: source texts, legal instruments and plans that records refer to."""
