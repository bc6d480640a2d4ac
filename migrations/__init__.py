"""The history of the database schema, a numbered file for each change; the last one is what this program needs."""
