"""`/v1/imports`: files of records, whose lines are matched with records of the registry and written.

`routes.py` or `command.py` receives a file, `store.py` stores its lines, `worker.py` starts the run and `run.py`
executes it. `plan.py` decides which record a line is about and when it is written; `write_lines.py` writes it.
"""
