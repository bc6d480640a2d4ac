"""File formats of records: one module for each format, and the rules that they share.

`jsonl.py`, `csv.py` and `xlsx.py` read and write one format each. `columns.py` converts between the columns of a table
and the members of a record. `lines.py` checks the lines of every format. `media_types.py` lists the formats and chooses
the one of a file. The formats know resources, and nothing about imports.
"""
