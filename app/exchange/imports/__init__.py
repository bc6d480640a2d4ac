"""`/v1/imports`: files of records are stored, their lines matched with records, and written.

`routes.py` or `command.py` receives a file and `store.py` stores its lines; `worker.py` has it run. `run.py` runs it:
`plan.py` finds the record of each line (`identify.py`) and the order (`ordering.py`), `write_lines.py` writes them.
"""
