"""The history of the database schema: a numbered file for each change, of which this program needs the last one."""
