"""Reads of records. They know nothing of HTTP or of threads.

- `parameters`: the query parameters of lists and details
- `reads`: lists and details; `pages`, `conditions`, `sorts` and `cursors`: the parts of a list
- `includes`, `counts`, `history`: what a request can ask for in addition
- `results`: requests, results and their ETags; `freshness`: the last Change that this process knows

A read is a generator that yields statements and receives rows.
"""
