"""Two engines behind one interface: connections, transactions, statements, column types.

SQLite and PostgreSQL differ in here and nowhere else. It knows nothing of records.
"""
