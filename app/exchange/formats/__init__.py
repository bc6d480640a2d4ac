"""File formats of records: JSON Lines, CSV and XLSX.

A format turns a file into records and knows nothing of imports.
"""
