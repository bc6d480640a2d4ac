"""File formats of records: one module for each format, and the rules that they share.

`jsonl.py`, `csv.py` and `xlsx.py` read and write one format each. `media_types.py` lists the formats and chooses that
of a file. `lines.py` checks the lines of every format.

A table goes through these modules: `layout.py` finds the sheet and the header, by the names of columns. `columns.py`
says what each column contains: by its path in a record (`schema_paths.py`), or by a `mapping.py`. `table.py` leaves out
the rows that are no records, `row_records.py` makes the record of each row, and `cell_values.py` the value of a cell.
`table_report.py` is what the client learns about it.

The formats know resources, and nothing about imports.
"""
