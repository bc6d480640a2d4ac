"""What every resource shares: values, models, tables, reading, writing, search and HTTP.

No module in here knows a resource or a feature. Each folder imports only from the folders below it;
`pyproject.toml` lists that order and `lint-imports` checks it.
"""
