"""`/v1/imports`: files of records, whose lines are matched with records of the registry and written.

`routes.py` or `command.py` receives a file, `store.py` stores its lines, `worker.py` starts the run and `run.py`
executes it in steps. `planning/` decides which record a line is about and when it is written; `chunk_reader.py` reads
the lines of one step, and `write_lines.py` writes them. In `storage/`, `claims.py` decides which process works on an
import, `quotas.py` limits their number and size, and `deletion.py` deletes them.
"""
