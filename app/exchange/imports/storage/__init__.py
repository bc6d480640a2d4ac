"""What the database has of imports: who works on them, how many there may be, their lines in chunks, their deletion."""
