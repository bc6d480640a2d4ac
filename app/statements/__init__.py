"""`/v1/statements`: requests, commitments, plans, claims and other statements of partners."""
