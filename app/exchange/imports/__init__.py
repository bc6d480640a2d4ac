"""`/v1/imports`: files of records, stored, matched with existing records and written in groups."""
