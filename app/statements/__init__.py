"""`/v1/statements`: who requested, promised or claimed what."""
