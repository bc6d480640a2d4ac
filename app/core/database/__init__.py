"""Two engines behind one interface: connections, transactions, statements, column types.

The differences between SQLite and PostgreSQL are handled here. These modules do not know records.
"""
