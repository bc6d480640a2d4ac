"""`/v1/changes`: the public change feed, with long polling."""
