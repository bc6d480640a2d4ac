"""`/v1/audit`: contradictions, overdue dates and missing evidence. Each rule is a function in `rules/`."""
