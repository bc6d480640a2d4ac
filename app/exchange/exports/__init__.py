"""Tables of the registry: lists as CSV, JSON Lines and workbooks."""
