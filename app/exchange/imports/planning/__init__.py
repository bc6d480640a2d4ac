"""The plan of an import: the record of each line, and the order in which the lines are written.

`plan.py` reads the lines. `name_index.py` finds the records that have the names of the file, `identify.py` the record
of a line without id, `new_ids.py` the id of a new record, `links.py` the records that the names in links mean, and
`ordering.py` the order of the lines.
"""
